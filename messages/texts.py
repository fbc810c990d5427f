"""The words of the catalogue, in each language, from en.toml and ru.toml. Codes are stable: never reuse one."""

import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

CATALOGUE = Path(__file__).resolve().parent
ROOT = CATALOGUE.parent
"""The checkout, where the launcher lies."""
LANGUAGES = ("en", "ru")
CODE = re.compile(r"FM-[A-Z]+-\d{3}")

UNKNOWN = {"en": "unknown", "ru": "неизвестно"}
"""Stands where a value is not known: a text must never fail for want of one."""


RUSSIAN_SIZES = {"GB": "ГБ", "MB": "МБ", ".": ","}
"""Sizes come with their unit, "65.2 GB"; what Russian writes otherwise in them."""


@runtime_checkable
class Sayable(Protocol):
    """What knows its own words in each language: a `Message`."""

    def say(self, language: str) -> str: ...


@dataclass(frozen=True)
class FaultText:
    """What a person reads about a fault: what it is, why, what to do."""

    title: str
    cause: str
    fix: str


@cache
def catalogue(language: str) -> Mapping[str, Any]:
    """One language's file; English for one that does not exist."""
    name = language if language in LANGUAGES else "en"
    return tomllib.loads((CATALOGUE / f"{name}.toml").read_text(encoding="utf-8"))


def sentences(language: str) -> Mapping[str, str]:
    """The words of messages by their English templates; empty for English itself."""
    return catalogue(language).get("sentences", {})


def codes() -> tuple[str, ...]:
    return tuple(catalogue("en")["faults"])


def fault(code: str, values: Mapping[str, Any], language: str = "en") -> FaultText:
    """Raise KeyError for a code that does not exist.

    A fault may have several fixes: `variant` among the values names another (`alone`: there is no smaller size).
    """
    texts, stages = catalogue(language)["faults"][code], catalogue(language)["stages"]
    fix = f"fix_{values.get('variant')}"
    fix = fix if fix in texts else "fix"
    if "stage" in values:
        values = {**values, "stage": stages.get(values["stage"] or "starting", values["stage"])}
    return FaultText(*(fill(texts[key], values, language) for key in ("title", "cause", fix)))


def say(section: str, key: str, values: Mapping[str, Any], language: str = "en") -> str:
    """A single text: the section is one of the catalogue's (`checks`, `labels`, `idle`, …)."""
    return fill(catalogue(language)[section][key], values, language)


def fill(text: str, values: Mapping[str, Any], language: str, empty: str | None = None) -> str:
    """Put values into words.

    `{launch}` is the launcher, as a terminal in any folder takes it; what else stands in braces is in `values`.
    empty: what stands for a value that is None or ""; by default the language's word for `unknown`.
    """
    unknown = UNKNOWN.get(language, UNKNOWN["en"]) if empty is None else empty
    shown = {name: in_language(value, language) for name, value in values.items()}
    said = text.format_map(_Lenient({"launch": launcher(), **shown}, unknown))
    if language != "ru":
        return said
    return re.sub(r"(?<=\d )[GM]B\b|(?<=\d)\.(?=\d+ [GM]B\b)", lambda found: RUSSIAN_SIZES[found[0]], said)


@dataclass(frozen=True)
class Word:
    """A text of the catalogue as a value of another one: it is said in that one's language."""

    section: str
    key: str

    def say(self, language: str) -> str:
        return say(self.section, self.key, {}, language)


def in_language(value: Any, language: str) -> Any:
    """A value as a sentence shows it: messages within it, and lists of them, in the same language."""
    if isinstance(value, list) and value and all(isinstance(one, Sayable) for one in value):
        return ", ".join(one.say(language) for one in value)
    return value.say(language) if isinstance(value, Sayable) else value


@cache
def launcher() -> str:
    """On Windows with the words that also a machine accepts which refuses to run scripts."""
    if sys.platform == "win32":
        return f'powershell -ExecutionPolicy Bypass -File "{ROOT / "launch.ps1"}"'
    return f"bash {shlex.quote(str(ROOT / 'launch.sh'))}"


def plural(number: Any, forms: Sequence[str]) -> str:
    """The form that the number needs, of `{count:=thing|things}`: two are English, three Russian (1, 2, 5).

    The last one where the number is not known.
    """
    if not isinstance(number, int):
        return forms[-1]
    if len(forms) == 2:
        return forms[number != 1]
    if number % 100 in range(11, 15):
        return forms[2]
    return forms[{1: 0, 2: 1, 3: 1, 4: 1}.get(number % 10, 2)]


class _Lenient(dict):
    """Missing values read as `unknown`, with any format."""

    def __init__(self, values: Mapping[str, Any], unknown: str) -> None:
        super().__init__({key: _Value(value, unknown) for key, value in values.items()})
        self._unknown = unknown

    def __missing__(self, key: str) -> "_Value":
        return _Value(None, self._unknown)


class _Value:
    def __init__(self, value: Any, unknown: str) -> None:
        self._value = value
        self._unknown = unknown

    def __format__(self, spec: str) -> str:
        if spec.startswith("="):
            return plural(self._value, spec[1:].split("|"))
        if self._value is None or self._value == "":
            return self._unknown
        try:
            return format(self._value, spec)
        except (TypeError, ValueError):
            return str(self._value)

    def __repr__(self) -> str:
        return repr(self._value) if self._value is not None else self._unknown
