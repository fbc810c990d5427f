"""Text is read and written with a named encoding everywhere: Windows' own is not UTF-8, and differs by country."""

import ast
from collections.abc import Iterator

import pytest
from fanslymotion.settings import ROOT

FOLDERS = (
    ".",
    "bench",
    "cli",
    "doctor",
    "docs",
    "launcher",
    "messages",
    "models",
    "pipeline",
    "presets",
    "queue",
    "tests",
    "training",
    "ui",
)
HERE_ONLY = (".", "docs", "training")
"""Of these only the files themselves: others' folders, or none, are in them."""


def unnamed(source: str) -> Iterator[int]:
    """Lines of calls that leave the encoding to the system."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        words = {keyword.arg: keyword.value for keyword in call.keywords}
        if "encoding" in words or None in words:
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        asks_for_text = any(
            isinstance(words.get(key), ast.Constant) and words[key].value is True
            for key in ("text", "universal_newlines")
        )
        if asks_for_text or (name == "read_text" and not call.args) or (name == "write_text" and len(call.args) == 1):
            yield call.lineno
        elif name == "open" and isinstance(call.func, ast.Name):
            mode = words.get("mode", call.args[1] if len(call.args) > 1 else ast.Constant("r"))
            if isinstance(mode, ast.Constant) and "b" not in str(mode.value):
                yield call.lineno


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_text_has_a_named_encoding(folder: str) -> None:
    files = sorted((ROOT / folder).glob("*.py") if folder in HERE_ONLY else (ROOT / folder).rglob("*.py"))
    assert files or folder == "presets"
    found = [f"{path.relative_to(ROOT)}:{line}" for path in files for line in unnamed(path.read_text(encoding="utf-8"))]
    assert not found, "name it: encoding='utf-8'"


def test_the_rule_finds_what_it_is_for() -> None:
    source = (
        "run(w, text=True)\nrun(w, text=True, encoding='utf-8')\np.read_text()\np.write_text('x')\nopen(p)\n"
        "open(p, 'rb')\nopen(p, 'w', encoding='utf-8')\nq.read_text('utf-8')\nimage.open(p)\n"
    )
    assert sorted(unnamed(source)) == [1, 3, 4, 5]
