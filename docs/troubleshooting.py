"""Write the tables of codes in troubleshooting.md anew from the doctor's catalogue.

.venv/bin/python docs/troubleshooting.py
"""

from collections.abc import Mapping

from fanslymotion.messages import texts
from fanslymotion.settings import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"

HEADS = {
    "en": ("## Codes", "On Windows read `.\\launch.ps1` for `bash launch.sh`.", "| code | what it is | what to do |"),
    "ru": ("## Коды", "В Windows вместо `bash launch.sh` — `.\\launch.ps1`.", "| код | что это | что делать |"),
}
WORDS: dict[str, Mapping[str, str]] = {
    "en": {
        "launch": "bash launch.sh",
        "model": "NAME",
        "resolution": "a smaller resolution",
        "folder": "its path",
        "page": "its page",
    },
    "ru": {
        "launch": "bash launch.sh",
        "model": "ИМЯ",
        "resolution": "меньшем разрешении",
        "folder": "её путь",
        "page": "её страницу",
    },
}
"""What stands in the places that a message fills with values."""


def tables() -> str:
    """Both, as Markdown, from the first heading to the end of the page."""
    lines = []
    for language, (title, note, head) in HEADS.items():
        values = {**WORDS[language], "remedy": remedies(language)}
        lines += [title, "", note, "", head, "|---|---|---|"]
        for code in texts.codes():
            text = texts.fault(code, values, language)
            fix = text.fix.replace("<", r"\<")  # no HTML
            lines.append(f"| {code} | {text.title} | {fix} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def remedies(language: str) -> str:
    """Why a card may idle (FM-GPU-005), each with what helps."""
    keys = [key for key in texts.catalogue(language)["idle"] if not key.endswith("_fix")]
    return "; ".join(
        f"*{texts.say('idle', key, {}, language)}*: {texts.say('idle', f'{key}_fix', WORDS[language], language)}"
        for key in keys
    )


def with_tables(page: str) -> str:
    """The page with today's tables."""
    return page[: page.index(HEADS["en"][0])] + tables()


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
