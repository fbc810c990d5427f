"""Hold a sentence as template and values. The template finds its translation."""

from collections.abc import Mapping
from typing import Any, cast

from .texts import fill, sentences

PLAIN = "{text}"
"""Template of untranslated text: messages of systems and libraries, and rows of earlier versions."""


class Message(str):
    """A sentence. As a `str` it is the English text, so that logs and exceptions use it without conversion.

    Attributes:
        template: the English text with a `{name}` for each value; the key of its translations.
        values: strings, numbers, None, other messages, or lists of these.
        code: of the reported fault (`FM-DISK-001`), "" for none.
    """

    template: str
    values: Mapping[str, Any]
    code: str

    def __new__(cls, template: str, values: Mapping[str, Any] | None = None, code: str = "") -> "Message":
        """Make a message. Values of other types are converted to text."""
        kept = {name: _plain_value(value) for name, value in (values or {}).items()}
        self = super().__new__(cls, fill(template, kept, "en", empty=""))
        self.__dict__.update(template=template, values=kept, code=code)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a message is frozen: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, dict(self.values), self.code)

    def say(self, language: str) -> str:
        """Return the sentence in a language, or in English if it has no translation."""
        return fill(sentences(language).get(self.template, self.template), self.values, language, empty="")

    def coded(self, code: str) -> "Message":
        """Return a copy with the code of a fault."""
        return Message(self.template, self.values, code)

    def with_values(self, **values: Any) -> "Message":
        """Return a copy with other values."""
        return Message(self.template, {**self.values, **values}, self.code)

    def to_json(self) -> dict[str, Any]:
        """Convert it for rows and the API: `t` is the template, `v` the values, `code` the code if there is one."""
        values = {name: _to_json(value) for name, value in self.values.items()}
        return {"t": self.template, "v": values} | ({"code": self.code} if self.code else {})

    @classmethod
    def from_json(cls, data: Any) -> "Message":
        """Read what `to_json` wrote. A plain string, as earlier versions stored, is kept as untranslated text.

        Raises:
            ValueError: `data` is neither.
        """
        if isinstance(data, str):
            return as_message(data)
        record = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        template, values = record.get("t"), record.get("v")
        if not isinstance(template, str) or not isinstance(values, dict):
            raise ValueError(f"{data!r} is not a message")
        found = {str(name): _from_json(value) for name, value in cast("dict[Any, Any]", values).items()}
        return cls(template, found, str(record.get("code", "")))


def msg(template: str, /, **values: Any) -> Message:
    """Make a message.

    Args:
        template: an English string literal. Its translation is in ru.toml, section `sentences`.
        values: for the template.
    """
    return Message(template, values)


def template(text: str, /) -> str:
    """Mark a template whose message is made elsewhere (`Message(text, values)`), so that it gets translated."""
    return text


def joined(parts: list[Message]) -> Message:
    """Join several messages with commas; of none, the empty text."""
    return Message(PLAIN, {"text": parts or ""})


def harmless(text: str) -> str:
    """Spell out the control characters of a text, and bytes that are no text: some terminals obey them."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def as_message(text: str, code: str = "") -> Message:
    """Convert any string into a message. Plain text is shown unchanged in every language.

    Args:
        text: a message or plain text.
        code: for a message that has none.
    """
    message = text if isinstance(text, Message) else Message(PLAIN, {"text": text})
    return message.coded(code) if code and not message.code else message


def _plain_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(cast("tuple[Any, ...]", value))
    kept: Any = value  # isinstance would narrow it to a list of unknown type
    return kept if value is None or isinstance(value, str | int | float | list) else str(kept)


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(one) for one in cast("list[Any]", value)]
    return value.to_json() if isinstance(value, Message) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(one) for one in cast("list[Any]", value)]
    return Message.from_json(value) if isinstance(value, dict) else value
