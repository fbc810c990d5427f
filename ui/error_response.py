"""Answer errors in the language that the request prefers; the page asks for the one that is shown."""

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from ..messages import LANGUAGES, as_message, msg

UNKNOWN = msg("Something went wrong in the program; the details are in the window that it was started from.")
"""All that is told about an unexpected error; its own words are for the log."""


def error_response(
    scope: Scope, status: int, sentence: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Make the answer to a request that is refused.

    Args:
        scope: The request's, for its language; English where that is not known.
        status: HTTP status, 400 or above.
        sentence: What is wrong and what to do, a message or its text.
        headers: Of the answer.
        **more: Further keys beside `error`.
    """
    return JSONResponse({"error": as_message(sentence).say(wanted(scope)), **more}, status, headers=headers)


def in_each_language(sentence: str) -> dict[str, str]:
    """Translate a sentence: language -> text."""
    return {language: as_message(sentence).say(language) for language in LANGUAGES}


def all_in_each_language(sentences: Iterable[str]) -> dict[str, list[str]]:
    """Translate sentences: language -> texts, in their order."""
    found = [in_each_language(sentence) for sentence in sentences]
    return {language: [one[language] for one in found] for language in LANGUAGES}


def wanted(scope: Scope) -> str:
    """Return the language that a request prefers; `en` when it names none that we have."""
    first = Headers(scope=scope).get("accept-language", "")[:2].lower()
    return first if first in LANGUAGES else "en"
