"""The catalogue: the same faults, the same places to fill, in every language."""

import re

import pytest
from fanslymotion.messages import texts
from fanslymotion.settings import ROOT
from fanslymotion.tests.tracked import tracked

PLACE = re.compile(r"\{(\w+)")


def flat(language: str) -> dict[str, str]:
    found: dict[str, str] = {}

    def walk(prefix: str, part) -> None:
        for key, value in part.items():
            walk(f"{prefix}{key}.", value) if isinstance(value, dict) else found.update({f"{prefix}{key}": value})

    walk("", {key: part for key, part in texts.catalogue(language).items() if key != "sentences"})
    return found


def test_every_language_has_every_key() -> None:
    assert flat("ru").keys() == flat("en").keys()


def test_the_same_places_are_filled() -> None:
    english, russian = flat("en"), flat("ru")
    for key in english:
        assert set(PLACE.findall(english[key])) == set(PLACE.findall(russian[key])), key


@pytest.mark.parametrize("code", texts.codes())
def test_every_fault_can_be_said_without_any_value(code: str) -> None:
    assert texts.CODE.fullmatch(code)
    for language in texts.LANGUAGES:
        text = texts.fault(code, {}, language)
        assert all((text.title, text.cause, text.fix))
        assert "{" not in text.title + text.cause + text.fix


def test_commands_are_whole_and_run_in_any_folder() -> None:
    said = [texts.fault(code, {"model": "svd"}, language).fix for code in texts.codes() for language in texts.LANGUAGES]
    assert [fix for fix in said if "fanslymotion models" in fix or "python app.py" in fix] == []
    command = texts.fault("FM-MODEL-001", {"model": "svd"}).fix
    assert command == f"{texts.launcher()} models download svd"
    assert str(ROOT) in command


def test_another_language_falls_back_to_english() -> None:
    assert texts.fault("FM-DISK-001", {}, "fr") == texts.fault("FM-DISK-001", {}, "en")


def test_every_code_is_emitted_somewhere_and_every_emitted_one_is_known() -> None:
    """No page of troubles that the program never names, and no name without its words."""
    sources = [path for path in tracked("*.py") if path.parts[0] not in ("tests", "training", "bench")]
    named = set(texts.CODE.findall("\n".join((ROOT / path).read_text(encoding="utf-8") for path in sources)))
    assert named == set(texts.codes())


@pytest.mark.parametrize(
    ("number", "english", "russian"),
    [
        (1, "It works; 1 thing could be better.", "Работает; можно улучшить 1 вещь."),
        (2, "It works; 2 things could be better.", "Работает; можно улучшить 2 вещи."),
        (5, "It works; 5 things could be better.", "Работает; можно улучшить 5 вещей."),
        (11, "It works; 11 things could be better.", "Работает; можно улучшить 11 вещей."),
        (21, "It works; 21 things could be better.", "Работает; можно улучшить 21 вещь."),
        (112, "It works; 112 things could be better.", "Работает; можно улучшить 112 вещей."),
    ],
)
def test_a_number_has_the_word_that_it_needs(number: int, english: str, russian: str) -> None:
    assert texts.say("labels", "summary_warn", {"count": number}, "en") == english
    assert texts.say("labels", "summary_warn", {"count": number}, "ru") == russian


def test_every_counted_word_has_its_forms() -> None:
    """No `1 things`: in English a plural never follows a number directly; two forms there, three in Russian."""
    counted = re.compile(r"\{(count|jobs|waiting|attempts|cores)\} [a-z]+s\b")
    assert [key for key, text in flat("en").items() if counted.search(text)] == []
    for language, most in (("en", 2), ("ru", 3)):
        for key, text in flat(language).items():
            assert all(len(forms.split("|")) == most for forms in re.findall(r"\{\w+:=([^}]*)\}", text)), key
