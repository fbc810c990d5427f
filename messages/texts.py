"""Read texts of the catalogue (en.toml, ru.toml) and fill them with values. Never reuse the code of a fault."""

import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

CATALOGUE = Path(__file__).resolve().parent
ROOT = CATALOGUE.parent
"""The checkout, which holds the launcher."""
LANGUAGES = ("en", "ru")
UNKNOWN = {"en": "unknown", "ru": "неизвестно"}
"""Shown for an unknown value: a missing value must never make a text fail."""


RUSSIAN_SIZES = {"GB": "ГБ", "MB": "МБ", ".": ","}
"""Russian spelling of sizes, which are values such as "65.2 GB"."""


@runtime_checkable
class Sayable(Protocol):
    """A value with a text in each language, such as a `Message`."""

    def say(self, language: str) -> str:
        """Return the text in a language."""
        ...


@dataclass(frozen=True)
class FaultText:
    """Texts about a fault for users: its title, its cause, and how to fix it."""

    title: str
    cause: str
    fix: str


@cache
def catalogue(language: str) -> Mapping[str, Any]:
    """Read a language's file; English for an unknown language."""
    name = language if language in LANGUAGES else "en"
    return tomllib.loads((CATALOGUE / f"{name}.toml").read_text(encoding="utf-8"))


def sentences(language: str) -> Mapping[str, str]:
    """Return the translations of messages by their English templates; empty for English."""
    return catalogue(language).get("sentences", {})


def codes() -> tuple[str, ...]:
    """Return the codes of all faults."""
    return tuple(catalogue("en")["faults"])


def fault(code: str, values: Mapping[str, Any], language: str = "en") -> FaultText:
    """Return the texts about a fault.

    Args:
        code: of the fault.
        values: for the texts. `variant` selects one of several fixes (`alone`: there is no smaller size).
        language: en or ru.

    Raises:
        KeyError: the code does not exist.
    """
    texts, stages = catalogue(language)["faults"][code], catalogue(language)["stages"]
    fix = f"fix_{values.get('variant')}"
    fix = fix if fix in texts else "fix"
    if "stage" in values:
        values = {**values, "stage": stages.get(values["stage"] or "starting", values["stage"])}
    return FaultText(*(fill(texts[key], values, language) for key in ("title", "cause", fix)))


def say(section: str, key: str, values: Mapping[str, Any], language: str = "en") -> str:
    """Return one text of a section of the catalogue (`checks`, `labels`, `idle`, …)."""
    return fill(catalogue(language)[section][key], values, language)


def fill(text: str, values: Mapping[str, Any], language: str, empty: str | None = None) -> str:
    """Fill a text with values.

    Args:
        text: with `{name}` for each value. `{launch}` is the launcher's command, for a terminal in any folder.
        values: by name.
        language: en or ru.
        empty: shown for a value that is None or ""; by default the language's word for `unknown`.
    """
    unknown = UNKNOWN.get(language, UNKNOWN["en"]) if empty is None else empty
    shown = {name: in_language(value, language) for name, value in values.items()}
    said = text.format_map(_Lenient({"launch": launcher(), **shown}, unknown))
    if language != "ru":
        return said
    return re.sub(r"(?<=\d )[GM]B\b|(?<=\d)\.(?=\d+ [GM]B\b)", lambda found: RUSSIAN_SIZES[found[0]], said)


@dataclass(frozen=True)
class Word:
    """A text of the catalogue as a value of another text, in the same language."""

    section: str
    key: str

    def say(self, language: str) -> str:
        """Return the text in a language."""
        return say(self.section, self.key, {}, language)


def in_language(value: Any, language: str) -> Any:
    """Convert a value for a sentence: messages, and lists of messages, become text in the language."""
    if isinstance(value, list) and value:
        several = cast("list[Any]", value)
        texts = [one.say(language) for one in several if isinstance(one, Sayable)]
        if len(texts) == len(several):
            return ", ".join(texts)
    return value.say(language) if isinstance(value, Sayable) else cast(Any, value)


@cache
def launcher() -> str:
    """Return the launcher's command. On Windows it works even where the execution policy forbids scripts."""
    if sys.platform == "win32":
        return f'powershell -ExecutionPolicy Bypass -File "{ROOT / "launch.ps1"}"'
    return f"bash {shlex.quote(str(ROOT / 'launch.sh'))}"


def plural(number: Any, forms: Sequence[str]) -> str:
    """Choose the plural form for a number, as in `{count:=thing|things}`.

    Args:
        number: the last form is chosen if it is unknown.
        forms: two in English, three in Russian (as for 1, 2, 5).
    """
    if not isinstance(number, int):
        return forms[-1]
    if len(forms) == 2:
        return forms[number != 1]
    if number % 100 in range(11, 15):
        return forms[2]
    return forms[{1: 0, 2: 1, 3: 1, 4: 1}.get(number % 10, 2)]


class _Lenient(dict[str, "_Value"]):
    """Values by name; missing ones are shown as `unknown`, with any format."""

    def __init__(self, values: Mapping[str, Any], unknown: str) -> None:
        super().__init__({key: _Value(value, unknown) for key, value in values.items()})
        self._unknown = unknown

    def __missing__(self, key: str) -> "_Value":
        return _Value(None, self._unknown)


class _Value:
    """A value that formats itself: `=` chooses a plural form, and an unknown or odd value never fails."""

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
