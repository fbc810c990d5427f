"""What was changed on the way to a video, which the log says in English (`pipeline.ladder`), in another language."""

from .refusals import say_refusal
from .texts import catalogue, fill, pattern


def say_note(note: str, language: str) -> str:
    """Piece by piece, each found by its English words in the catalogue; words that are not there stay as they are."""
    english, other = catalogue("en")["notes"], catalogue(language)["notes"]
    if english is other:
        return note
    if (whole := say_refusal(note, language)) != note:  # what the photo's file lacks
        return whole
    for key, words in english.items():
        found = pattern(words, r"\S+")
        note = found.sub(lambda piece, to=other[key]: fill(to, piece.groupdict(), language), note)
    return note
