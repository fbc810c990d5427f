"""Write the tables of codes in troubleshooting.md anew from the doctor's catalogue:

python docs/troubleshooting.py
"""

from collections.abc import Mapping

from fanslymotion.doctor import texts
from fanslymotion.settings import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"

HEADS = {
    "en": ("## Codes", "| code | what it is | what to do |"),
    "ru": ("## Коды", "| код | что это | что делать |"),
}
WORDS: dict[str, Mapping[str, str]] = {
    "en": {
        "command": "the command that stands there (mostly `launch.sh setup` or `launch.ps1 setup`)",
        "model": "NAME",
        "resolution": "a smaller resolution",
        "folder": "its path",
        "page": "its page",
    },
    "ru": {
        "command": "команда из сообщения (чаще всего `launch.sh setup` или `launch.ps1 setup`)",
        "model": "ИМЯ",
        "resolution": "меньшем разрешении",
        "folder": "её путь",
        "page": "её страница",
    },
}
"""What stands in the places that a message fills with values."""


def tables() -> str:
    """Both, as Markdown, from the first heading to the end of the page."""
    lines = []
    for language, (title, head) in HEADS.items():
        lines += [title, "", head, "|---|---|---|"]
        for code in texts.codes():
            text = texts.fault(code, WORDS[language], language)
            lines.append(f"| {code} | {text.title} | {text.fix} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def with_tables(page: str) -> str:
    """The page with today's tables."""
    return page[: page.index(HEADS["en"][0])] + tables()


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
