"""What campaigns of kills and faults begin and end with: a folder with a tiny model, a database, the machine's name."""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

with suppress(ImportError):  # before the queue, which leaves it out where the environment names no PostgreSQL
    import psycopg  # noqa: F401
from fanslymotion.pipeline.families.svd.random_model import build


def add_arguments(parser: argparse.ArgumentParser, postgresql: str) -> None:
    """Add what all campaigns take. postgresql: the help of `--postgresql`."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgresql", action="store_true", help=postgresql)


@contextmanager
def campaign(name: str, postgresql: bool) -> Iterator[tuple[Path, str]]:
    """Make a temporary folder with a tiny model under `models`; yield it, and a database's address, "" for SQLite."""
    with ExitStack() as ending:
        temporary = tempfile.TemporaryDirectory(prefix=f"fanslymotion-{name}-", ignore_cleanup_errors=True)
        folder = Path(ending.enter_context(temporary))
        build(folder / "models" / "mini-random")
        database = ""
        if postgresql:
            from fanslymotion.tests import databases

            database = databases.new_database(ending.enter_context(databases.server(folder / "pg")))
        yield folder, database


def this_machine() -> str:
    """Return the machine in a few words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
