"""What the page refuses, and what stands in the way, is said in English where it is found; here in another language."""

from .texts import catalogue, fill, pattern

LONGEST = 1000
"""Characters; whatever is longer is no sentence of ours, and would only be slow to look at."""


def say_refusal(sentence: str, language: str) -> str:
    """The whole sentence is found by its English words in the catalogue; one that is not there stays as it is."""
    english, other = catalogue("en")["refusals"], catalogue(language)["refusals"]
    if english is other or len(sentence) > LONGEST:
        return sentence
    for key, words in english.items():
        if found := pattern(words, ".+?").fullmatch(sentence):
            values = {name: say_refusal(value, language) for name, value in found.groupdict().items()}
            return fill(other[key], values, language)
    return sentence
