"""Which test files import torch, told from their text: `run.sh fast` leaves them out before anything is imported."""

import ast
from functools import cache
from pathlib import Path

from fanslymotion.settings import ROOT

HEAVY = ("torch", "diffusers", "transformers")


def loads_torch(path: Path) -> bool:
    """Tell whether importing a file of the checkout imports torch, itself or through our own modules.

    Imports in functions do not count: they come when a test calls them, if at all.
    """
    seen, waiting = {path}, [path]
    while waiting:
        names = _imports(waiting.pop())
        if any(name.partition(".")[0] in HEAVY for name in names):
            return True
        found = {file for name in names for file in _files(name)} - seen
        seen |= found
        waiting += found
    return False


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Return what a file imports when it is imported, as absolute names: modules, and their names or sub-modules."""
    package = ("fanslymotion", *path.relative_to(ROOT).parent.parts)
    names: list[str] = []
    statements: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while statements:
        node = statements.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = f"{base}.{node.module or ''}".strip(".")
            names += [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            statements += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            statements += ast.iter_child_nodes(node)
    return tuple(names)


@cache
def _files(name: str) -> tuple[Path, ...]:
    """Return the checkout's files that importing a module runs: its packages' `__init__`, and its own."""
    first, *parts = name.split(".")
    if first != "fanslymotion":
        return ()
    places = [ROOT.joinpath(*parts[:end]) for end in range(len(parts) + 1)]
    return tuple(
        file for place in places for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()
    )
