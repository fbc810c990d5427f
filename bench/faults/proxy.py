"""TCP between one machine and PostgreSQL that can be cut, frozen, or broken at a chosen word of the conversation."""

import asyncio
import re
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from psycopg.conninfo import conninfo_to_dict

WRITES = re.compile(rb"\b(INSERT|UPDATE|DELETE)\b")
NAMED = re.compile(rb"(_pg3_\d+)\0\s*(?:INSERT|UPDATE|DELETE)\b")
"""A statement that the driver prepares: later it is called by this name only."""
TELLS = (b"\0\0\0\6status", b'DELETE FROM "jobs"')
"""In a transaction that makes, ends or removes a job: a value that stands for an event of that kind, or the removal."""
COMMITTED = b"COMMIT\0"
"""The server's answer to a COMMIT that was carried out."""

LOST_ANSWER = "the answer to a COMMIT is lost"
LOST_COMMIT = "a COMMIT is lost"
FROZEN_INSIDE = "frozen inside a transaction"


class Proxy:
    """All links of a campaign, in a thread with an event loop of its own. database: a PostgreSQL URL."""

    def __init__(self, database: str) -> None:
        self.database = database
        where = conninfo_to_dict(database)
        self._host, self._port = str(where.get("host") or "127.0.0.1"), int(where.get("port") or 5432)
        self.listeners: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()

    def link(self) -> "Link":
        made = Link(self)
        self.wait(made.open())
        return made

    async def server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        return await asyncio.open_connection(self._host, self._port)

    def address(self, port: int) -> str:
        """The database's URL through a link."""
        parts = urlsplit(self.database)
        user = quote(str(conninfo_to_dict(self.database).get("user") or "postgres"))
        return urlunsplit(parts._replace(netloc=f"{user}:@127.0.0.1:{port}", query=""))

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, work: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """End every conversation, and take no new one."""
        self.wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for listener in self.listeners:
            listener.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Link:
    """One machine's way to the database. Its public functions may be called from any thread."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._clear = asyncio.Event()
        self._clear.set()
        self._conversations: set[Conversation] = set()
        self.trap = ""
        """What happens next: FROZEN_INSIDE in any transaction that writes, LOST_ANSWER or LOST_COMMIT in one that
        makes, ends or removes a job; "" for nothing."""
        self.sprung = 0
        """How often that has happened."""
        self.unplugged = False
        self.address = ""

    async def open(self) -> None:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self._proxy.listeners.append(server)
        self.address = self._proxy.address(server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Break every connection."""
        self._proxy.call(self._cut)

    def freeze(self) -> None:
        """Let no byte pass until `heal`."""
        self._proxy.call(self._clear.clear)

    def unplug(self) -> None:
        """Freeze; and the server does not learn that the processes end, as when a machine loses its network."""
        self.unplugged = True
        self.freeze()

    def heal(self) -> None:
        """Let everything pass again. What was held back arrives late; what was unplugged stays cut."""
        self.trap = ""
        unplugged, self.unplugged = self.unplugged, False
        if unplugged:
            self._proxy.call(self._cut)
        self._proxy.call(self._clear.set)

    @property
    def hangs(self) -> bool:
        """Is it frozen, or about to be?"""
        return not self._clear.is_set() or self.trap == FROZEN_INSIDE

    def _cut(self) -> None:
        for conversation in list(self._conversations):
            conversation.end()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            conversation = Conversation(self, (reader, writer), await self._proxy.server())
            self._conversations.add(conversation)
            try:
                await conversation.run()
            finally:
                self._conversations.discard(conversation)
                conversation.end()

    async def passable(self) -> None:
        await self._clear.wait()

    def springs(self, trap: str) -> bool:
        """Is this the trap that is set? It is used up."""
        if self.trap != trap:
            return False
        self.trap, self.sprung = "", self.sprung + 1
        return True

    def hold(self) -> None:
        """Freeze, from within the conversation."""
        self._clear.clear()


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Conversation:
    """One connection: what the client says, what the server answers."""

    def __init__(self, link: Link, client: Stream, server: Stream) -> None:
        self._link, self._client, self._server = link, client, server
        self._prepared: set[bytes] = set()
        self._writing = self._telling = False
        self._deaf = False

    async def run(self) -> None:
        """Until either side ends, in whatever way."""
        await asyncio.gather(self._ask(), self._answer(), return_exceptions=True)

    def end(self) -> None:
        for _, writer in (self._client, self._server):
            writer.transport.abort()

    async def _ask(self) -> None:
        try:
            await self._pass_questions()
            while self._link.unplugged:  # the server does not learn that the client is gone
                await asyncio.sleep(0.1)
        finally:
            self.end()

    async def _pass_questions(self) -> None:
        reader, writer = self._client[0], self._server[1]
        with suppress(OSError):
            while said := await reader.read(1 << 16):
                await self._link.passable()
                self._note(said)
                ends = b"COMMIT" in said
                if ends and self._telling and self._link.springs(LOST_COMMIT):
                    return
                self._deaf = self._deaf or (ends and self._telling and self._link.springs(LOST_ANSWER))
                writer.write(said)
                await writer.drain()
                if ends or b"ROLLBACK" in said:
                    self._writing = self._telling = False
                elif self._writing and self._link.springs(FROZEN_INSIDE):
                    self._link.hold()

    async def _answer(self) -> None:
        reader, writer = self._server[0], self._client[1]
        try:
            while answer := await reader.read(1 << 16):
                await self._link.passable()
                if self._deaf and COMMITTED in answer:
                    return
                writer.write(answer)
                await writer.drain()
        finally:
            if not self._link.unplugged:
                self.end()

    def _note(self, said: bytes) -> None:
        self._prepared |= set(NAMED.findall(said))
        called = any(name + b"\0" in said for name in self._prepared)
        self._writing = self._writing or called or WRITES.search(said) is not None
        self._telling = self._telling or any(words in said for words in TELLS)
