"""A sentence as its template and its values: English as it is, other languages by the template."""

from collections.abc import Mapping
from typing import Any

from .texts import fill, sentences

PLAIN = "{text}"
"""Template of words that are shown as they are: what a system or a library said, and rows of earlier versions."""


class Message(str):
    """One sentence. As a string it is the English text, so that logs and exceptions need not know of it.

    template: the English words with a `{name}` for each value; the key under which other languages are found.
    values: strings, numbers, None, other messages, or lists of these.
    code: of the fault it tells of (`FM-DISK-001`), "" for none.
    """

    template: str
    values: Mapping[str, Any]
    code: str

    def __new__(cls, template: str, values: Mapping[str, Any] | None = None, code: str = "") -> "Message":
        kept = {name: _plain_value(value) for name, value in (values or {}).items()}
        self = super().__new__(cls, fill(template, kept, "en", empty=""))
        self.__dict__.update(template=template, values=kept, code=code)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a message is frozen: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, dict(self.values), self.code)

    def say(self, language: str) -> str:
        """The sentence in a language; in English where there are no words for it in that language."""
        return fill(sentences(language).get(self.template, self.template), self.values, language, empty="")

    def coded(self, code: str) -> "Message":
        """The same sentence with the code of a fault."""
        return Message(self.template, self.values, code)

    def but(self, **values: Any) -> "Message":
        """The same sentence with other values."""
        return Message(self.template, {**self.values, **values}, self.code)

    def to_json(self) -> dict[str, Any]:
        """As rows and the API hold it: `t` the template, `v` the values, `code` where there is one."""
        values = {name: _to_json(value) for name, value in self.values.items()}
        return {"t": self.template, "v": values} | ({"code": self.code} if self.code else {})

    @classmethod
    def from_json(cls, data: Any) -> "Message":
        """Read what `to_json` wrote. A plain string, as earlier versions stored, stays as it is.

        Raises:
            ValueError: it is neither.
        """
        if isinstance(data, str):
            return as_message(data)
        match data:
            case {"t": str(template), "v": dict(values)}:
                found = {str(name): _from_json(value) for name, value in values.items()}
                return cls(template, found, str(data.get("code", "")))
        raise ValueError(f"{data!r} is not a message")


def msg(template: str, /, **values: Any) -> Message:
    """Make a sentence. template: a literal, in English; its Russian words are in ru.toml, section `sentences`."""
    return Message(template, values)


def template(text: str, /) -> str:
    """Mark the template of a sentence that is made elsewhere (`Message(text, values)`), so that it is translated."""
    return text


def joined(parts: list[Message]) -> Message:
    """Several as one, with commas between them."""
    return Message(PLAIN, {"text": parts})


def as_message(text: str, code: str = "") -> Message:
    """Take any string: a message stays one, other words are shown as they are in every language.

    code: for one that has none.
    """
    message = text if isinstance(text, Message) else Message(PLAIN, {"text": text})
    return message.coded(code) if code and not message.code else message


def _plain_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, str | int | float | list) else str(value)


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(one) for one in value]
    return value.to_json() if isinstance(value, Message) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    return Message.from_json(value) if isinstance(value, dict) else value
