"""Find the page's scripts, styles and texts, and name them by their content, so that browsers may cache them."""

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
STATIC, LOCALES = FOLDER / "static", FOLDER / "locales"
FOR_GOOD = "private, max-age=31536000, immutable"
"""Cache-Control of what never changes under its name."""


@cache
def known_files(folder: Path) -> dict[str, Path]:
    """List the files that may be served, once: a path of a request is looked up, never joined to a folder."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def edition() -> str:
    """Return a name for the current state of all files; it changes when any of them is written."""
    facts = hashlib.sha256()
    for folder in (STATIC, LOCALES):
        for name, path in sorted(known_files(folder).items()):
            found = path.stat()
            facts.update(f"{name} {found.st_mtime_ns} {found.st_size}\n".encode())
    return facts.hexdigest()[:12]


def read_static(name: str) -> str:
    """Return the text of a file in `static`."""
    return known_files(STATIC)[name].read_text(encoding="utf-8")
