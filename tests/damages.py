"""Ways in which a job list's file is really damaged: by a failing disk, a power cut, a bad copy. All are seeded."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

from fanslymotion.queue.store.rescue import pages

PAGE = 4096

Damage = Callable[[Path, Random], None]
"""Damages the file, which nobody has open, with its WAL checkpointed."""


class File:
    """A SQLite file's pages, to be changed in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as connection:
            self.roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"))
        self.data = bytearray(path.read_bytes())

    def save(self) -> None:
        """In place: somebody may have the file open."""
        with open(self.path, "rb+") as file:
            file.write(self.data)

    def start(self, page: int) -> int:
        return (page - 1) * PAGE

    def tree(self, name: str) -> list[int]:
        """The pages of a table or index, its root first."""
        found, wanted = [], [self.roots[name]]
        while wanted:
            page = wanted.pop(0)
            found.append(page)
            at = self.start(page)
            if self.data[at] in (2, 5):
                count = self.number(at + 3)
                children = [
                    int.from_bytes(self.data[at + self.number(at + 12 + 2 * n) :][:4], "big") for n in range(count)
                ]
                wanted += [*children, int.from_bytes(self.data[at + 8 : at + 12], "big")]
        return found

    def leaves(self, name: str) -> list[int]:
        return [page for page in self.tree(name) if self.data[self.start(page)] in (10, 13)]

    def number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 2], "big")

    def fill(self, page: int, bytes_: bytes) -> None:
        self.data[self.start(page) : self.start(page) + PAGE] = bytes_

    def drop_cell(self, page: int, which: int) -> None:
        """The page no longer names this cell, whose place counts as free: by itself the page is in order."""
        at = self.start(page)
        count = self.number(at + 3)
        which %= count
        self._free(page, self.number(at + 8 + 2 * which))
        kept = [self.data[at + 8 + 2 * n : at + 10 + 2 * n] for n in range(count) if n != which]
        self.data[at + 3 : at + 5] = (count - 1).to_bytes(2, "big")
        self.data[at + 8 : at + 8 + 2 * count] = b"".join(kept) + b"\0\0"

    def cells(self, page: int) -> list[tuple[int, int]]:
        """The rows or entries that a leaf holds: first byte in the page, and length. The rest may hold deleted ones."""
        at = self.start(page)
        firsts = [self.number(at + 8 + 2 * n) for n in range(self.number(at + 3))]
        return [(first, self._length(page, first)) for first in firsts]

    def _length(self, page: int, cell: int) -> int:
        place = self.start(page) + cell
        length, after = pages._varint(bytes(self.data), place)
        if self.data[self.start(page)] == 13:
            after = pages._varint(bytes(self.data), after)[1]
        size = after - place + length
        assert size < PAGE // 4, "no row of the tests is as long as that"
        return size

    def _free(self, page: int, cell: int) -> None:
        """Put a cell's place into the page's list of free blocks: in the order of their places, and no two so close
        that no third would fit between them. What lay between two that become one counted as fragments.
        """
        at = self.start(page)
        free, block = [(cell, self._length(page, cell))], self.number(at + 1)
        while block:
            free.append((block, self.number(at + block + 2)))
            block = self.number(at + block)
        apart: list[tuple[int, int]] = []
        for first, length in sorted(free):
            end = sum(apart[-1]) if apart else -PAGE
            if first - end < 4:
                self.data[at + 7] -= first - end
                apart[-1] = (apart[-1][0], first + length - apart[-1][0])
            else:
                apart.append((first, length))
        before = at + 1
        for first, length in apart:
            self.data[before : before + 2] = first.to_bytes(2, "big")
            self.data[at + first : at + first + 4] = b"\0\0" + length.to_bytes(2, "big")
            before = at + first


def indexes(file: File) -> list[str]:
    return sorted(name for name in file.roots if name.startswith(("jobs_", "sqlite_autoindex_jobs")))


def row_missing(path: Path, random: Random) -> None:
    """An index names a row that its page lacks."""
    file = File(path)
    file.drop_cell(random.choice(file.leaves("jobs")), random.randrange(100))
    file.save()


def index_entry_missing(path: Path, random: Random) -> None:
    file = File(path)
    file.drop_cell(random.choice(file.leaves(random.choice(indexes(file)))), random.randrange(100))
    file.save()


def index_garbage(path: Path, random: Random) -> None:
    file = File(path)
    file.fill(random.choice(file.tree(random.choice(indexes(file)))), random.randbytes(PAGE))
    file.save()


def leaf_garbage(path: Path, random: Random) -> None:
    file = File(path)
    file.fill(random.choice(file.leaves("jobs")), random.randbytes(PAGE))
    file.save()


def leaf_of_zeros(path: Path, random: Random) -> None:
    file = File(path)
    file.fill(random.choice(file.leaves("jobs")), bytes(PAGE))
    file.save()


def root_garbage(path: Path, random: Random) -> None:
    """The page that leads to all of a table's."""
    file = File(path)
    file.fill(file.roots[random.choice(("jobs", "events", "meta", "workers"))], random.randbytes(PAGE))
    file.save()


def swapped_pages(path: Path, random: Random) -> None:
    """A write that went to the wrong place."""
    file = File(path)
    one, other = random.sample(file.leaves("jobs") + file.leaves("events"), 2)
    file.fill(one, bytes(file.data[file.start(other) : file.start(other) + PAGE]))
    file.save()


def header(path: Path, random: Random) -> None:
    file = File(path)
    file.data[:100] = random.randbytes(100)
    file.save()


def first_page(path: Path, random: Random) -> None:
    """Header and schema."""
    file = File(path)
    file.fill(1, random.randbytes(PAGE))
    file.save()


def schema_entry_missing(path: Path, random: Random) -> None:
    """A table is not known any more."""
    file = File(path)
    count = file.number(103)
    which = random.randrange(count)
    kept = [file.data[108 + 2 * n : 110 + 2 * n] for n in range(count) if n != which]
    file.data[103:105] = (count - 1).to_bytes(2, "big")
    file.data[108 : 108 + 2 * count] = b"".join(kept) + b"\0\0"
    file.save()


def no_tables(path: Path, _: Random) -> None:
    """A whole, empty list where a full one was."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")


def truncated(path: Path, random: Random) -> None:
    size = path.stat().st_size
    with open(path, "rb+") as file:
        file.truncate(random.randrange(PAGE + 1, size - PAGE))


def emptied(path: Path, _: Random) -> None:
    with open(path, "rb+") as file:
        file.truncate(0)


def freelist(path: Path, random: Random) -> None:
    """Pages in use count as free, so that the next writes would go over them."""
    file = File(path)
    file.data[32:36] = random.choice(file.leaves("jobs")).to_bytes(4, "big")
    file.data[36:40] = (3).to_bytes(4, "big")
    file.save()


def flipped_bits(path: Path, random: Random) -> None:
    file = File(path)
    for _ in range(40):
        file.data[random.randrange(len(file.data))] ^= 1 << random.randrange(8)
    file.save()


def status_altered(path: Path, random: Random) -> None:
    _replace(path, random, b"queued", b"quexed")


def request_altered(path: Path, random: Random) -> None:
    _replace(path, random, b'{"resolution":', b'["resolution":')


def text_undecodable(path: Path, random: Random) -> None:
    _replace(path, random, b'"standard"', b'"stan\xff\xfe"')


def _replace(path: Path, random: Random, old: bytes, new: bytes) -> None:
    """Once in the jobs' rows."""
    file = File(path)
    places = []
    for page in file.leaves("jobs"):
        for first, length in file.cells(page):
            start = file.start(page) + first
            at = file.data.find(old, start, start + length)
            if at >= 0:
                places.append(at)
    at = random.choice(places)
    file.data[at : at + len(new)] = new
    file.save()


KINDS: dict[str, Damage] = {
    function.__name__: function
    for function in (
        row_missing,
        index_entry_missing,
        index_garbage,
        leaf_garbage,
        leaf_of_zeros,
        root_garbage,
        swapped_pages,
        header,
        first_page,
        schema_entry_missing,
        no_tables,
        truncated,
        emptied,
        freelist,
        flipped_bits,
        status_altered,
        request_altered,
        text_undecodable,
    )
}
