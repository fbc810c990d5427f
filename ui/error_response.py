"""Answer errors in the request's language; the page requests the one that it shows."""

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
    """Build the answer to a refused request.

    Args:
        scope: The request's scope, for its language; English if unknown.
        status: HTTP status, 400 or above.
        sentence: What is wrong and what to do: a message or its text.
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
    """Return the language of a request; `en` if it names none of ours."""
    first = Headers(scope=scope).get("accept-language", "")[:2].lower()
    return first if first in LANGUAGES else "en"
