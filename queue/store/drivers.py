"""Import peewee and Huey without PostgreSQL's driver where the jobs lie in SQLite.

Both import the driver wherever it is installed: a quarter of the CPU seconds in which a command starts
(bench/RESULTS.md, "Starting").
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

DRIVER = "psycopg"


@contextmanager
def _without_driver() -> Generator[bool]:
    """Keep the driver out of imports in the body, and yield True, unless this process uses it.

    It uses it where FANSLYMOTION_DATABASE names PostgreSQL, or where the driver is imported already.
    """
    database = os.environ.get("FANSLYMOTION_DATABASE") or "sqlite"
    if DRIVER in sys.modules or "peewee" in sys.modules or not database.startswith("sqlite"):
        yield False
        return
    stand_in: dict[str, ModuleType | None] = {DRIVER: None}  # how `import` is told that there is none
    sys.modules.update(stand_in)  # pyright: ignore[reportArgumentType, reportCallIssue] - None may stand there
    try:
        yield True
    finally:
        del sys.modules[DRIVER]


with _without_driver() as kept_out:
    import_module("huey")
    import_module("playhouse.db_url")  # and peewee
