"""Read rows of a damaged SQLite file, page by page, without its index pages.

SQLite itself begins at the file's header and follows pointers from page to page. One bad page hides all pages behind
it. This module reads each leaf page alone, as `.recover` of SQLite's shell does, which Python's module lacks.
Replaced versions of a row may appear too: the caller keeps the newest of each.

Source: https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (pages), 2.1 (records) and 4 (WAL).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

Value = int | float | str | bytes | None
Row = tuple[int, list[Value]]
"""rowid and columns, in the order in which the table declares them; trailing ones may be missing after a migration."""

MAGIC = b"SQLite format 3\0"
WAL_MAGICS = (0x377F0682, 0x377F0683)
LEAF = 0x0D
PAGE_SIZES = tuple(1 << n for n in range(9, 17))
USUAL_PAGE = 4096
MOST_BYTES = 16 << 20
"""Maximum length of a row. Longer ones are not written by this program."""

INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Serial type -> bytes of a big-endian number."""


class _Bad(Exception):
    """The bytes are not a valid row."""


def rows(database: Path, wal: Path) -> Iterator[Row]:
    """Yield every row that can be read from the file and from its WAL's committed frames, the oldest version first.

    Rows of all tables are mixed; tell them apart by their values. A file that is missing or empty yields nothing.

    Raises:
        OSError: a file cannot be read.
    """
    main, log = _read(database), _read(wal)
    size = _page_size(main, log)
    usable = size - (main[20] if main.startswith(MAGIC) and main[20] <= 32 else 0)
    versions = [(n + 1, main[n * size : (n + 1) * size]) for n in range(-(-len(main) // size))]
    versions += _frames(log, size)
    newest = dict(versions)
    for number, page in versions:
        yield from _leaf(page, 100 if number == 1 else 0, newest, usable)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _page_size(main: bytes, log: bytes) -> int:
    found = 0
    if main.startswith(MAGIC):
        found = int.from_bytes(main[16:18], "big")
    elif len(log) >= 32 and int.from_bytes(log[:4], "big") in WAL_MAGICS:
        found = int.from_bytes(log[8:12], "big")
    found = 65536 if found == 1 else found
    return found if found in PAGE_SIZES else USUAL_PAGE


def _frames(log: bytes, size: int) -> list[tuple[int, bytes]]:
    """Return (page number, page) up to the last commit. Frames of an earlier use of the log have other salts."""
    if len(log) < 32 or int.from_bytes(log[:4], "big") not in WAL_MAGICS:
        return []
    found: list[tuple[int, bytes]] = []
    committed = 0
    for start in range(32, len(log) - size - 23, size + 24):
        number, commit, *_ = struct.unpack(">II", log[start : start + 8])
        if log[start + 8 : start + 16] != log[16:24]:
            continue
        found.append((number, log[start + 24 : start + 24 + size]))
        committed = len(found) if commit else committed
    return found[:committed]


def _leaf(page: bytes, start: int, pages: dict[int, bytes], usable: int) -> Iterator[Row]:
    """Yield the rows of a leaf page of a table. start: offset of the page's header."""
    if len(page) < start + 8 or page[start] != LEAF:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for place in range(start + 8, min(start + 8 + 2 * cells, len(page) - 1), 2):
        try:
            yield _cell(pages, page, int.from_bytes(page[place : place + 2], "big"), usable)
        except (_Bad, IndexError, struct.error, UnicodeDecodeError):
            continue


def _cell(pages: dict[int, bytes], page: bytes, start: int, usable: int) -> Row:
    """Read the row that begins at an offset of a leaf page, with its overflow pages. Raise _Bad or IndexError."""
    length, start = _varint(page, start)
    rowid, start = _varint(page, start)
    if not 0 < length <= MOST_BYTES:
        raise _Bad
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    here = length
    if length > most:
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
    payload = page[start : start + here]
    if len(payload) < here:
        raise _Bad
    if here < length:
        payload += _overflow(pages, int.from_bytes(page[start + here : start + here + 4], "big"), length - here, usable)
    return rowid, _record(payload)


def _overflow(pages: dict[int, bytes], number: int, length: int, usable: int) -> bytes:
    found = bytearray()
    while len(found) < length:  # each turn adds a page's content, so a cycle of pages ends too
        page = pages.get(number, b"")
        if len(page) < usable:
            raise _Bad
        found += page[4:usable]
        number = int.from_bytes(page[:4], "big")
    return bytes(found[:length])


def _record(payload: bytes) -> list[Value]:
    end, place = _varint(payload, 0)
    if not 0 < end <= len(payload):
        raise _Bad
    values: list[Value] = []
    content = end
    while place < end:
        kind, place = _varint(payload, place)
        value, content = _value(payload, content, kind)
        values.append(value)
    if place != end or content != len(payload):
        raise _Bad
    return values


def _value(payload: bytes, start: int, kind: int) -> tuple[Value, int]:
    """Read a value by its serial type. Return it and its end. Raise _Bad."""
    if kind in INTEGERS:
        end = start + INTEGERS[kind]
        value: Value = int.from_bytes(payload[start:end], "big", signed=True)
    elif kind == 7:
        end = start + 8
        (value,) = struct.unpack(">d", payload[start:end])
    elif kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], start
    elif kind >= 12:
        end = start + (kind - 12) // 2
        raw = payload[start:end]
        value = raw.decode("utf-8") if kind % 2 else raw
    else:
        raise _Bad
    if end > len(payload):
        raise _Bad
    return value, end


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Read a number of one to nine bytes in two's complement. Return it and its end. Raise IndexError after the end."""
    value, at = 0, start
    for at in range(start, start + 9):
        byte = data[at]
        if at == start + 8:
            value = value << 8 | byte
            break
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value - (1 << 64) if value >= 1 << 63 else value, at + 1
