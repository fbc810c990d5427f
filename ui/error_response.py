"""What is refused is said in the language that the request prefers; the page asks for the one that is shown."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from ..messages import LANGUAGES, as_message, msg

UNKNOWN = msg("Something went wrong in the program; the details are in the window that it was started from.")
"""All that is told about an error that nobody expected; its own words are for the log."""


def error_response(
    scope: Scope, status: int, sentence: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer: `error` is the sentence, English where the language is not known. more: further keys."""
    return JSONResponse({"error": as_message(sentence).say(wanted(scope)), **more}, status, headers=headers)


def in_each_language(sentence: str) -> dict[str, str]:
    """Return a sentence in each language."""
    return {language: as_message(sentence).say(language) for language in LANGUAGES}


def all_in_each_language(sentences: Iterable[str]) -> dict[str, list[str]]:
    """Return sentences in each language."""
    found = [in_each_language(sentence) for sentence in sentences]
    return {language: [one[language] for one in found] for language in LANGUAGES}


def wanted(scope: Scope) -> str:
    """The language that a request prefers."""
    first = Headers(scope=scope).get("accept-language", "")[:2].lower()
    return first if first in LANGUAGES else "en"
