"""Define what a check finds, as a code and values, and its text for users."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..messages import texts
from .diagnosis import Diagnosis

OK, WARN, BROKEN, UNKNOWN = "ok", "warn", "broken", "unknown"
"""Results of a check."""


@dataclass(frozen=True)
class Check:
    """A finding as text in one language.

    Attributes:
        key: of the check.
        result: ok, warn, broken or unknown.
        name: of the check.
        detail: what was found.
        code: of the fault, "" if ok, as are the next three.
        title: of the fault.
        cause: of the fault.
        fix: of the fault.
    """

    key: str
    result: str
    name: str
    detail: str = ""
    code: str = ""
    title: str = ""
    cause: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Convert it for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """What a check has found. `say` makes its text.

    Attributes:
        key: of the check.
        result: ok, warn, broken or unknown.
        code: of the fault, "" if ok.
        detail: key of the catalogue's text if ok.
        values: for the texts.
        diagnosis: of the failed job that the finding is about; it then makes the text.
    """

    key: str
    result: str
    code: str = ""
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None

    def say(self, language: str = "en") -> Check:
        """Return the finding as text in a language."""
        name = texts.say("checks", self.key, {}, language)
        if not self.code:
            return Check(self.key, self.result, name, texts.say("details", self.detail, self.values, language))
        if self.diagnosis is not None:
            said = self.diagnosis.say(language)
            title, cause, fix = said["title"], said["cause"], said["fix"]
        else:
            text = texts.fault(self.code, self.values, language)
            title, cause, fix = text.title, text.cause, text.fix
        return Check(self.key, self.result, name, title, self.code, title, cause, fix)


def ok(key: str, detail: str = "", **values: Any) -> Finding:
    """Make a finding without a fault.

    Args:
        key: of the check.
        detail: key of the catalogue's text; by default the check's own.
        values: for the text.
    """
    return Finding(key, OK, detail=detail or key, values=values)


def fault(key: str, result: str, code: str, **values: Any) -> Finding:
    """Make a finding with a fault.

    Args:
        key: of the check.
        result: warn or broken.
        code: of the fault.
        values: for the fault's texts.
    """
    return Finding(key, result, code, values=values)


def worst(findings: Sequence[Finding]) -> str:
    """Return the worst result: broken, warn, or ok."""
    results = {finding.result for finding in findings}
    return BROKEN if BROKEN in results else WARN if WARN in results else OK
