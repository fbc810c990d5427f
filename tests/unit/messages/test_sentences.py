"""Every sentence of the program has its Russian words, found by its English template; none is left over."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import fanslymotion.errors as errors
import pytest
from babel.messages.extract import extract
from fanslymotion.messages import Message, as_message, joined, msg, texts
from fanslymotion.settings import ROOT

OTHERS = (".venv", "tests", "bench", "training", "docs", "build", "data", "cache", "launch.py", "launcher")
"""Not walked through: an environment has fifty thousand files."""
SOURCES = sorted(
    path
    for place in ROOT.iterdir()
    if place.name not in OTHERS
    for path in (place.rglob("*.py") if place.is_dir() else [place])
    if path.suffix == ".py"
)
PLACE = re.compile(r"\{[^}]*\}")
MARKS = ("msg", "template")
"""What makes a sentence of its first argument, or marks a template for one."""
UNTRANSLATED = {"fs.py", "models/download/proxies.py"}
"""Where a sentence may still be a plain string: other work goes on there."""


@cache
def templates() -> frozenset[str]:
    found = set()
    for path in SOURCES:
        with open(path, "rb") as file:
            found |= {message for _, message, _, _ in extract("python", file, keywords=dict.fromkeys(MARKS))}
    return frozenset(found)


def test_every_template_has_its_russian_words() -> None:
    assert len(templates()) > 200, "they are found"
    assert templates() - texts.sentences("ru").keys() == set()


def test_no_words_are_left_over() -> None:
    assert texts.sentences("ru").keys() - templates() == set()


def places(template: str) -> set[str]:
    """What it fills in; of a word that depends on a number (`{n:=one|many}`) the number, for its forms differ."""
    return {re.sub(r":=.*", ":=}", place) for place in PLACE.findall(template)}


def test_both_languages_fill_the_same_places() -> None:
    different = {
        english: russian for english, russian in texts.sentences("ru").items() if places(english) != places(russian)
    }
    assert different == {}


def named_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node


def is_words(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and " " in str(node.value))


def test_no_error_is_raised_with_a_plain_string() -> None:
    """It would be shown in English to everybody: write `msg("… {value}", value=…)`, with Russian words in ru.toml."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    kinds |= {"DamagedError", "DownloadError", "NeedsMemory", "NotDelivered", "NotFinite"}
    plain = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        if path.name not in UNTRANSLATED
        for call in named_calls(path)
        if call.func.id in kinds and any(is_words(argument) for argument in call.args)  # type: ignore[attr-defined]
    ]
    assert plain == []


def test_a_template_is_a_literal() -> None:
    """Words put together at the call could not be found in the catalogue."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in named_calls(path)
        if call.func.id in MARKS and not isinstance(call.args[0], ast.Constant)  # type: ignore[attr-defined]
    ]
    assert wrong == []


def test_a_message_is_its_english_text() -> None:
    said = msg("{name} is larger than {mb} MB", name="a.jpg", mb=50)
    assert said == "a.jpg is larger than 50 MB"
    assert f"{said}!" == "a.jpg is larger than 50 MB!"
    assert said.say("en") == str(said)
    assert said.say("ru") == "a.jpg: больше 50 МБ"
    assert said.say("fr") == str(said)


def test_messages_within_are_said_in_the_same_language() -> None:
    inner = msg("download it: fanslymotion models download {name}", name="svd")
    said = msg("there is no model folder {folder}; {remedy}", folder="/m", remedy=inner)
    assert said == "there is no model folder /m; download it: fanslymotion models download svd"
    assert said.say("ru") == "нет папки модели /m; скачайте её: fanslymotion models download svd"
    both = joined([msg("without guidance"), msg("forward chunking")])
    assert both == "without guidance, forward chunking"
    assert both.say("ru") == "без guidance, вычисление по частям"


@pytest.mark.parametrize(
    "message",
    [
        msg("there is no job {job!r}", job="x{y}"),
        msg("{name} is {value!r}; it must be a number from {low} to {high}", name="n", value=None, low=0, high=1.5),
        msg("there is no model folder {folder}; {remedy}", folder=Path("m"), remedy=msg("flat")),
        joined([msg("narrow"), as_message("kept {as} it is")]),
        as_message("what a library said", "FM-JOB-000"),
        as_message(""),
    ],
)
def test_a_message_survives_json(message: Message) -> None:
    import json
    import pickle

    for again in (Message.from_json(json.loads(json.dumps(message.to_json()))), pickle.loads(pickle.dumps(message))):
        assert again == message
        assert (again.template, again.code, again.say("ru")) == (message.template, message.code, message.say("ru"))


@pytest.mark.parametrize("wrong", [None, 7, [], {}, {"t": 1, "v": {}}, {"t": "x"}, {"t": "x", "v": []}])
def test_what_is_no_message_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a message"):
        Message.from_json(wrong)


def test_plain_words_stay_in_every_language() -> None:
    assert as_message("words of before").say("ru") == "words of before"
    assert Message.from_json("words of before") == "words of before"


def test_a_message_is_frozen() -> None:
    with pytest.raises(AttributeError):
        msg("flat").template = "narrow"


def test_an_error_carries_message_and_code() -> None:
    error = errors.PresetError(msg("there is no preview"))
    assert (str(error), error.code, error.message.code) == ("there is no preview", "FM-SET-001", "FM-SET-001")
    assert errors.BadInput("plain").message.say("ru") == "plain"
    assert errors.RenderError(msg("flat"), code="FM-VIDEO-002").message.code == "FM-VIDEO-002"
    assert errors.BadInput(msg("flat").coded("FM-SET-001")).code == "FM-SET-001"
