"""What is refused is said in the language that the request prefers; the page asks for the one that is shown."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import Scope

from ..doctor.refusals import say_refusal
from ..doctor.texts import LANGUAGES

UNKNOWN = "Something went wrong in the program; the details are in the window that it was started from."
"""All that is told about an error that nobody expected; its own words are for the log."""


def refuse(
    scope: Scope, status: int, sentence: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer: `error` is the sentence, English where the language is not known. more: further keys."""
    return JSONResponse({"error": say_refusal(sentence, _wanted(scope)), **more}, status, headers=headers)


def in_each_language(sentence: str) -> dict[str, str]:
    return {language: say_refusal(sentence, language) for language in LANGUAGES}


def _wanted(scope: Scope) -> str:
    first = Headers(scope=scope).get("accept-language", "")[:2].lower()
    return first if first in LANGUAGES else "en"
