"""What was changed on the way to a video, which the log says in English (`pipeline.ladder`), in another language."""

import re

from .texts import catalogue, fill

PLACE = re.compile(r"\\\{(\w+)\\\}")


def say_note(note: str, language: str) -> str:
    """Piece by piece, each found by its English words in the catalogue; words that are not there stay as they are."""
    english, other = catalogue("en")["notes"], catalogue(language)["notes"]
    if english is other:
        return note
    for key, words in english.items():
        pattern = PLACE.sub(r"(?P<\1>\\S+)", re.escape(words))
        note = re.sub(pattern, lambda found, to=other[key]: fill(to, found.groupdict(), language), note)
    return note
