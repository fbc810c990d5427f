"""The page's words: every language has every key, and the scripts ask only for keys that exist."""

import json
import re
from pathlib import Path

import pytest
from fanslymotion.pipeline.families import families, family
from fanslymotion.pipeline.families.base import parts
from fanslymotion.pipeline.media.exports.formats import FORMATS
from fanslymotion.presets.options import MODES, MOTIONS
from fanslymotion.settings import ROOT

LOCALES = ROOT / "ui" / "locales"
STATIC = ROOT / "ui" / "static"
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
PLACES = re.compile(r"\{(\w+)\}")
QUOTED = re.compile(r"""["'](\w+(?:\.\w+)+)["']""")
BUILT = re.compile(r"`(\w+\.\w*)\$\{[^`]*`")
NO_KEYS = re.compile(r"\.(js|css|svg|json|mp4|jpg|png)$")

STAGES = ("loading", "conditioning", "sampling", "decoding", "saving")
ENDS = ("done", "failed", "cancelled")
VALUES = {
    "action.": {
        *("cancel", "download", "again", "save", "take", "longer", "redo", "compare"),
        *("top", "up", "down", "delete", "favourite"),
    },
    "check.": ("ok", "warn", "broken", "unknown"),
    "form.fit_": ("crop", "pad"),
    "gallery.days_": ("all", "1", "7", "30"),
    "gauge.": ("gpu", "cpu"),
    "compare.": ("play", "pause", "swap", "divide", "close"),
    "many.": ("compare", "favourite", "zip", "delete", "cancel"),
    "log.": ("debug", "info", "warning", "error"),
    "notify.": ("done", "failed"),
    "now.": (*STAGES, *ENDS),
    "part.": {"compiler", *(part for name in families() for part in parts(family(name)))},
    "mode.": MODES,
    "motion.": MOTIONS,
    "quality.": ("standard", "smooth", "sampled"),
    "save.": (*FORMATS, "start", "end", "save", "copy", "stop", "share"),
    "save.hint_": FORMATS,
    "stage.": ("queued", *STAGES),
    "status.": ("queued", "paused", "running", *ENDS),
    "system.": (
        "workers",
        "models",
        "upscalers",
        "doctor",
        "disk",
        "versions",
        "download",
        "stop",
        "remove",
        "check",
        "forget",
    ),
    "theme.": ("auto", "light", "dark"),
    "unit.": ("B", "kB", "MB", "GB", "TB"),
    "view.": ("create", "queue", "gallery", "system"),
    "worker.": ("none", "starting", "idle", "running", "stopped", "crashed"),
}
"""What the scripts put behind the beginnings that they build keys from, as `stage.${stage}`: all of it, here."""


def words(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def stems(language: str) -> dict[str, set[str]]:
    """Key without its plural form -> its forms ("" where it has none)."""
    found: dict[str, set[str]] = {}
    for key in words(language):
        stem, _, form = key.rpartition(".")
        plural = form in PLURALS[language]
        found.setdefault(stem if plural else key, set()).add(form if plural else "")
    return found


def scripts() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(STATIC.rglob("*.js")))


def quoted() -> set[str]:
    """Every "word.word" in a script whose first word begins some key, and every data-t in the markup."""
    begins = {key.split(".")[0] for key in words("en")}
    found = {key for key in QUOTED.findall(scripts()) if key.split(".")[0] in begins and not NO_KEYS.search(key)}
    markup = "\n".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.html"))
    return found | set(re.findall(r'data-t(?:-label)?="([\w.]+)"', markup))


def built() -> set[str]:
    """The beginnings that scripts build keys from."""
    begins = {key.split(".")[0] for key in words("en")}
    return {start for start in BUILT.findall(scripts()) if start.split(".")[0] in begins}


@pytest.mark.parametrize("path", sorted(LOCALES.glob("*.json")), ids=lambda path: path.stem)
def test_every_language_is_complete(path: Path) -> None:
    mine, english = stems(path.stem), stems("en")
    assert mine.keys() == english.keys()
    for key, forms in mine.items():
        assert forms in ({""}, PLURALS[path.stem]), key


def test_places_to_fill_are_the_same() -> None:
    english, russian = words("en"), words("ru")
    for key in english.keys() & russian.keys():
        assert set(PLACES.findall(english[key])) == set(PLACES.findall(russian[key])), key


def test_the_scripts_ask_for_keys_that_exist() -> None:
    assert {"login.wrong", "why.cause", "form.on_cpu"} <= quoted(), "the pattern still finds them"
    assert quoted() - stems("en").keys() == set()


def test_built_keys_exist() -> None:
    assert "stage." in built(), "the pattern still finds them"
    assert built() == VALUES.keys()
    assert {start + value for start, values in VALUES.items() for value in values} - stems("en").keys() == set()


def test_no_key_is_left_over() -> None:
    asked = quoted() | {start + value for start, values in VALUES.items() for value in values}
    assert stems("en").keys() - asked == set()
