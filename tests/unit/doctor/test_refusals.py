"""What the page refuses is said in Russian, too; a sentence that changes, or comes anew, has its Russian one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.doctor import texts
from fanslymotion.doctor.refusals import LONGEST, say_refusal
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.photo import SIGNATURES, load_photo
from fanslymotion.settings import ROOT

PAGE = (
    "models/download.py",
    "models/downloads.py",
    "models/find.py",
    "models/registry.py",
    "pipeline/metadata.py",
    "pipeline/models.py",
    "pipeline/photo.py",
    "pipeline/photo_memory.py",
    "pipeline/photo_process.py",
    "pipeline/request.py",
    "presets/loader.py",
    "queue/aside.py",
    "queue/broker.py",
    "queue/database.py",
    "queue/jobs.py",
    "queue/store.py",
    "settings.py",
    "ui/files.py",
    "ui/job_routes.py",
    "ui/page_routes.py",
    "ui/photos.py",
    "ui/queue_routes.py",
    "ui/reading.py",
)
"""Where what the page asks for can be refused."""
ERRORS = {"BadInput", "NeedsMemory", "NotFound", "StoreError", "ModelError", "PresetError", "DamagedError"}
ELSEWHERE = (
    "FANSLYMOTION_DATABASE is",  # said before there is a page
    "X7 is X7; it must be a number of seconds",  # so is this
    "X7: X7: X7",  # a preset of one's own: key, value and pydantic's words
    "X7: X7",
)


def sentences(path: Path) -> Iterator[str]:
    """What errors of that file say, X7 standing for each value; a name for the text that the function gives it."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        local = {
            node.targets[0].id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                yield text(node.args[0], local)


def text(node: ast.AST, local: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text(part, local) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        known = local.get(node.value.id)
        return text(known, local) if isinstance(known, ast.JoinedStr) else "X7"
    return "X7"


@pytest.mark.parametrize("path", PAGE)
def test_every_refusal_has_its_russian_words(path: str) -> None:
    said = {sentence for sentence in sentences(ROOT / path) if sentence != "X7"}
    assert said or path in ("ui/reading.py", "ui/files.py"), "the pattern still finds them"
    for sentence in said:
        if not sentence.startswith(ELSEWHERE):
            assert say_refusal(sentence, "ru") != sentence


@pytest.mark.parametrize("begin", [*SIGNATURES, b"<svg ", b"<html>", b"\xff\xd8\xff\xe0broken", b"what?"])
def test_files_that_are_no_photos(begin: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        load_photo(begin + b"\0" * 64, "my file")
    russian = say_refusal(str(refused.value), "ru")
    assert russian.startswith("my file: ")
    assert russian != str(refused.value)


def test_values_and_parts_within() -> None:
    assert say_refusal("job 1a is running; cancel it before deleting it", "ru") == (
        "задание 1a ещё не закончено (идёт); сначала отмените его"
    )
    nested = say_refusal("there is no model folder /m; download it: fanslymotion models download svd", "ru")
    assert nested == "нет папки модели /m; скачайте её: fanslymotion models download svd"


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_what_is_not_known_stays(language: str) -> None:
    for sentence in ("something else", "is {name}", "x" * 2 * LONGEST, ""):
        assert say_refusal(sentence, language) == sentence


def test_every_sentence_is_its_own_pattern() -> None:
    """None is swallowed by a more general one before it."""
    english, russian = (texts.catalogue(language)["refusals"] for language in texts.LANGUAGES)
    for key, words in english.items():
        values = {name: f"7{name}" for name in re.findall(r"\{(\w+)\}", words)}
        assert say_refusal(words.format(**values), "ru") == russian[key].format(**values), key
