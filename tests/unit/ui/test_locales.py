"""The page's words: every language has every key, and the scripts ask only for keys that exist."""

import json
import re
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT

LOCALES = ROOT / "ui" / "locales"
STATIC = ROOT / "ui" / "static"
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
PLACES = re.compile(r"\{(\w+)\}")


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


def used() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.*")) if path.suffix != ".svg")
    literal = re.findall(r"""(?<![\w$])(?:t|has)\(\s*["']([\w.]+)["']""", text)
    markup = re.findall(r'data-t(?:-label)?="([\w.]+)"', text)
    return set(literal) | set(markup)


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
    assert used(), "the pattern still finds them"
    assert used() - stems("en").keys() == set()


def test_no_key_is_left_over() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    built = set(re.findall(r"t\(\s*`([\w.]+)\$\{", text)) | set(re.findall(r"has\(`([\w.]+)\$\{", text))
    built |= {"quality.", "now."}
    quoted = set(re.findall(r"""["']([\w]+\.[\w.]+)["']""", text))
    left = [key for key in stems("en").keys() - used() - quoted if not key.startswith(tuple(built))]
    assert left == []
