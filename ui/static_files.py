"""Find the page's scripts, styles and words, and name them by what they hold, so that a browser may keep them."""

import hashlib
import posixpath
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
STATIC, LOCALES = FOLDER / "static", FOLDER / "locales"
FOR_GOOD = "private, max-age=31536000, immutable"
"""Cache-Control of what never changes under its name."""
IMPORTED = re.compile(r'^(?:import|export) .*?"(\.[^"]+)";\r?$', re.MULTILINE)


@cache
def known_files(folder: Path) -> dict[str, Path]:
    """List the files that may be served, once: a path from a browser is looked up, never joined to a folder."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def edition() -> str:
    """Return a name for all files as they are now: another one as soon as any of them is written anew."""
    facts = hashlib.sha256()
    for folder in (STATIC, LOCALES):
        for name, path in sorted(known_files(folder).items()):
            found = path.stat()
            facts.update(f"{name} {found.st_mtime_ns} {found.st_size}\n".encode())
    return facts.hexdigest()[:12]


@cache
def modules(main: str, _edition: str) -> tuple[str, ...]:
    """Return the paths in `static` of all scripts that one imports, itself the first.

    Args:
        main: Its path in `static`.
        _edition: See `edition`; the files are read once for each.
    """
    found, waiting = [], [main]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.append(name)
        text = known_files(STATIC)[name].read_text(encoding="utf-8")
        waiting += [
            posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) for path in IMPORTED.findall(text)
        ]
    return tuple(found)


def read_static(name: str) -> str:
    """Return the text of a file in `static`."""
    return known_files(STATIC)[name].read_text(encoding="utf-8")
