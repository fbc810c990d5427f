"""Recognise by its name which of Wan 2.2's two transformers a LoRA file is for, and find the other half.

Wan 2.2 A14B has one transformer for high and one for low noise. Trainers write a LoRA as two files, whose names differ
in a mark: `…_high_noise` and `…_low_noise` (ai-toolkit, lightx2v, Comfy-Org), `…_HIGH_fp16` and `…_LOW_fp16` (Kijai),
`HighNoise`, `hinoise`, `HN`, `_H` and the like (civitai). Only this module knows the marks.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
"""A word of a name: letters up to the next separator, digit or capital (`Wan2.2HighNoise` has three)."""

HIGH, LOW = "high", "low"

MARKS = {
    "highnoise": (HIGH, 3, ("lownoise",)),
    "lownoise": (LOW, 3, ("highnoise", "hinoise")),
    "hinoise": (HIGH, 3, ("lownoise", "lonoise")),
    "lonoise": (LOW, 3, ("hinoise",)),
    "high": (HIGH, 2, ("low",)),
    "low": (LOW, 2, ("high", "hi")),
    "hn": (HIGH, 2, ("ln",)),
    "ln": (LOW, 2, ("hn",)),
    "hi": (HIGH, 1, ("lo", "low")),
    "lo": (LOW, 1, ("hi",)),
    "h": (HIGH, 1, ("l",)),
    "l": (LOW, 1, ("h",)),
}
"""For each mark: the half that it stands for, how sure that is, and what stands in its place in the other half's name.

3 and 2 alone tell a half. 1 may be a part of any name: it counts only where the other half is here.
"""

NOISE = "noise"
"""After `high` and `low`: as sure as one word of both."""

COUNTERS = re.compile(r"[-_. ](e|ep|epoch|step|steps|s)?[-_]?\d{2,}(?=$|[-_. ])|(?<=rcm)\d+_\d+", re.IGNORECASE)
"""Epochs and steps of the training, in which the two halves' names may differ: `_e40`, `-000016`, `_epoch80`."""


@dataclass(frozen=True)
class Mark:
    """The part of a name that tells the half.

    Attributes:
        half: HIGH or LOW.
        sureness: See `MARKS`.
        start: Start of the mark in the name.
        end: End of the mark, including the word `noise` and one separator behind it.
        others: Possible names of the other half, the likeliest first.
    """

    half: str
    sureness: int
    start: int
    end: int
    others: tuple[str, ...]


@dataclass(frozen=True)
class Halves:
    """Pairs among some files.

    Attributes:
        pairs: Names of the high-noise and the low-noise file, by the pair's name.
        missing: Likeliest name of the missing half, by the name of a single half.
    """

    pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def find_halves(names: Iterable[str]) -> Halves:
    """Find the pairs among files, and single halves.

    Args:
        names: The files' names without suffix.
    """
    names = sorted(names)  # it may be a generator, and is gone through twice
    marks = {name: mark for name in names if (mark := find_mark(name))}
    pairs = _exact_pairs(marks)
    taken = {name for pair in pairs for name in pair}
    pairs += _loose_pairs({name: mark for name, mark in marks.items() if name not in taken})
    taken = {name for pair in pairs for name in pair}
    own = {name for name in marks if name not in taken} | {name for name in names if name not in marks}
    found: dict[str, tuple[str, str]] = {}
    for high, low in sorted(pairs):
        name = _without_mark(high, marks[high])
        found[high if name in own or name in found else name] = (high, low)
    alone = {name: mark.others[0] for name, mark in marks.items() if name not in taken and mark.sureness > 1}
    return Halves(found, alone)


def find_mark(name: str) -> Mark | None:
    """Return the surest mark in a name, the last one of several; None without any."""
    words = [(match.group().lower(), match.start(), match.end()) for match in WORD.finditer(name)]
    found: Mark | None = None
    for word, then in pairwise([*words, ("", len(name), len(name))]):
        if word[0] not in MARKS:
            continue
        half, sureness, others = MARKS[word[0]]
        _, start, end = word
        noisy = then[0] == NOISE and not name[end : then[1]].strip("-_. ")
        if noisy and sureness < 3:
            sureness = 3
        if found is None or sureness >= found.sureness:
            rest = [name[:start] + _as(name[start:end], other) + name[end:] for other in others]
            found = Mark(half, sureness, start, then[2] if noisy else end, tuple(rest))
    return found


def _exact_pairs(marks: dict[str, Mark]) -> list[tuple[str, str]]:
    """Pair names that differ only in the mark, ignoring case."""
    here = {name.casefold(): name for name in marks} | {name: name for name in marks}
    found: list[tuple[str, str]] = []
    taken: set[str] = set()
    for name, mark in marks.items():
        for other in mark.others:
            low = here.get(other) or here.get(other.casefold())
            if mark.half == HIGH and low and low not in taken and marks[low].half == LOW:
                found.append((name, low))
                taken.add(low)
                break
    return found


def _loose_pairs(marks: dict[str, Mark]) -> list[tuple[str, str]]:
    """Pair names that differ in the mark and the epoch, if there is one of each half."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, mark in marks.items():
        if mark.sureness > 1:
            groups[COUNTERS.sub("", _without_mark(name, mark)).casefold()].append(name)
    found = [sorted(group, key=lambda name: marks[name].half) for group in groups.values() if len(group) == 2]
    return [(high, low) for high, low in found if marks[high].half != marks[low].half]


def _without_mark(name: str, mark: Mark) -> str:
    """Return a name without its mark and one of the separators beside it; the name itself if nothing is left."""
    before, after = name[: mark.start], name[mark.end :]
    if before[-1:] in "-_. " and (not after or after[0] in "-_. "):
        before = before[:-1]
    elif not before:
        after = after.lstrip("-_. ")
    return (before + after).strip("-_. ") or name


def _as(given: str, word: str) -> str:
    """Return a word in the letter case of another."""
    if given.isupper():
        return word.upper()
    return word.capitalize() if given[0].isupper() else word
