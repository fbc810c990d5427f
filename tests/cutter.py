"""A proxy before PostgreSQL that cuts the connection at a COMMIT: before it, after it, or while it is carried out."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit, urlunsplit


class Cut(StrEnum):
    """When the client's connection ends: the server has not seen its COMMIT; has carried it out; will do so later."""

    BEFORE = "before"
    AFTER = "after"
    MEANWHILE = "meanwhile"


LATE_SECONDS = 0.3
"""How much later than the client's end the server gets a COMMIT that was cut MEANWHILE."""


class Cutter:
    """Forwards connections to the server. `arm` chooses the next COMMIT to be cut; `down` refuses new connections."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._cut: Cut | None = None
        self._left = 0
        self._lock = threading.Lock()
        self.down = False
        self.cuts = 0
        self.done = threading.Event()
        """The server has carried out the COMMIT that was cut, or has lost its client before."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, url: str) -> str:
        """The same database through this proxy."""
        port = self._listener.getsockname()[1]
        return urlunsplit(urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query=""))

    def arm(self, cut: Cut, commit: int = 1) -> None:
        """commit: which one from now on, over all connections; 1 is the next."""
        with self._lock:
            self._cut, self._left = cut, commit

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                client, _ = self._listener.accept()
                if self.down:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{self._upstream}/.s.PGSQL.5432")
                cut = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, cut), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, cut), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                how = self._due(data)
                if how is None:
                    server.sendall(data)
                    continue
                cut.set()
                if how is not Cut.AFTER:
                    self._end(client)
                if how is Cut.MEANWHILE:
                    time.sleep(LATE_SECONDS)
                if how is not Cut.BEFORE:
                    server.sendall(data)
                    return  # the other thread ends both, once the server has answered
                break
        self._end(server)
        self._end(client)

    def _to_client(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if cut.is_set():
                    break
                client.sendall(data)
        self._end(server)
        self._end(client)
        if cut.is_set():
            self.done.set()

    def _due(self, data: bytes) -> Cut | None:
        with self._lock:
            if self._cut is None or b"COMMIT" not in data:
                return None
            self._left -= 1
            if self._left:
                return None
            cut, self._cut = self._cut, None
            self.cuts += 1
            return cut

    @staticmethod
    def _end(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


@contextmanager
def cutter(url: str) -> Iterator[Cutter]:
    """url: of a server that listens on a Unix socket."""
    made = Cutter(parse_qs(urlsplit(url).query)["host"][0])
    yield made
    made.close()
