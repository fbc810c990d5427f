"""Read what ui/static/types/ says of the server's JSON, and compare answers of the server with it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fanslymotion.settings import ROOT

TYPES = sorted({*(ROOT / "ui" / "static" / "types").glob("*.d.ts")} - {ROOT / "ui" / "static" / "types" / "page.d.ts"})
"""All but what the page's own modules share."""
INTERFACE = re.compile(r"^export interface (\w+)(?: extends ([\w, ]+))? \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
KEY = re.compile(r"^  (\w+)(\??): (.+);$", re.MULTILINE)
PLAIN = {"string": str, "boolean": bool, "number": (int, float)}


class Typedefs:
    """Interfaces of one key a line; a type is plain, another interface, `X[]`, `Record<string, X>`, or some with |."""

    def __init__(self, paths: Sequence[Path] = TYPES) -> None:
        self._keys: dict[str, dict[str, tuple[str, bool]]] = {}
        for name, bases, body in INTERFACE.findall("\n".join(path.read_text(encoding="utf-8") for path in paths)):
            own = {key: (kind, bool(optional)) for key, optional, kind in KEY.findall(body)}
            self._keys[name] = {}
            for inherited in (*(self._keys[base] for base in bases.split(", ") if base), own):
                self._keys[name] |= inherited

    def mistakes(self, value: Any, kind: str, place: str = "") -> list[str]:
        """Where `value`, as JSON gives it, is not of that type: missing keys, unknown ones, other types."""
        place = place or kind
        kinds = kind.split(" | ")
        if len(kinds) > 1:
            found = [self.mistakes(value, one, place) for one in kinds]
            return [] if [] in found else min(found, key=len)
        if kind.endswith("[]"):
            if not isinstance(value, list):
                return [f"{place} is {value!r}, not a list"]
            return [line for at, one in enumerate(value) for line in self.mistakes(one, kind[:-2], f"{place}[{at}]")]
        if record := re.fullmatch(r"Record<string, (\w+(?:\[\])?)>", kind):
            return [line for key, one in value.items() for line in self.mistakes(one, record[1], f"{place}.{key}")]
        if kind == "null":
            return [] if value is None else [f"{place} is {value!r}, not null"]
        if kind in PLAIN:
            right = isinstance(value, PLAIN[kind]) and isinstance(value, bool) == (kind == "boolean")
            return [] if right else [f"{place} is {value!r}, not a {kind}"]
        return self._mistakes_of_keys(value, kind, place)

    def _mistakes_of_keys(self, value: Any, kind: str, place: str) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place} is {value!r}, not {kind}"]
        keys = self._keys[kind]
        needed = {key for key, (_, optional) in keys.items() if not optional}
        found = [f"{place}.{key} is missing" for key in sorted(needed - value.keys())]
        found += [f"{place}.{key} is not in ui/static/types" for key in sorted(value.keys() - keys.keys())]
        for key in value.keys() & keys.keys():
            found += self.mistakes(value[key], keys[key][0], f"{place}.{key}")
        return found
