"""One vocabulary for page, command line, log and the user's documentation: words of the trade, in both languages."""

import json
import re
from pathlib import Path

import pytest
from fanslymotion.presets.options import OPTIONS
from fanslymotion.settings import ROOT

SEEN = {
    "en": (
        ROOT / "messages" / "en.toml",
        ROOT / "ui" / "locales" / "en.json",
        ROOT / "README.md",
        ROOT / "docs" / "models.md",
        ROOT / "docs" / "server.md",
    ),
    "ru": (ROOT / "messages" / "ru.toml", ROOT / "ui" / "locales" / "ru.json"),
}
UNWANTED = {
    "en": re.compile(r"\b(draws?|drawn|drawing|Reading the photo|Take the sample|Freedom from)\b(?! \(SVG\))"),
    "ru": re.compile(
        r"рисов|рису[еюя]|чтение фото|читаем фото|зерн|свобода от фото|возьмите пример|в описании", re.IGNORECASE
    ),
}
ALLOWED = re.compile(r"рисунок|a drawing \(SVG\)")


def spoken(path: Path) -> list[str]:
    """What is said: of a table without the English templates that stand before their translations."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return list(json.loads(text).values())
    if path.suffix == ".md":
        return text.splitlines()
    return [line.rpartition(' = "')[2] for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("language", SEEN)
def test_no_word_is_left_of_an_older_vocabulary(language: str) -> None:
    lines = [line for path in SEEN[language] for line in spoken(path)]
    assert len(lines) > 200
    assert [line for line in lines if UNWANTED[language].search(line) and not ALLOWED.search(line)] == []


def test_settings_have_the_trades_names_in_both_languages() -> None:
    named = {name: option.words["label"] for name, option in OPTIONS.items()}
    assert named["seed"] == {"en": "Seed", "ru": "Сид"}
    assert named["prompt"] == {"en": "Prompt", "ru": "Промпт"}
    for option in OPTIONS.values():
        for language, pattern in UNWANTED.items():
            assert not pattern.search(option.words["help"][language]), option.name


def test_models_are_told_in_the_same_words() -> None:
    for path in sorted((ROOT / "presets").glob("*/*.toml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, words = line.partition(" = ")
            language = {"summary": "en", "summary_ru": "ru"}.get(key)
            assert language is None or not UNWANTED[language].search(words), path.name
