"""Join the page's modules into one script: a browser requests one file instead of 70, and caches its compiled code.

Each module becomes a function that returns its exports, in the order in which a browser would run them:

    const $lib_dom = (() => { …; return { byId, show }; })();

A variable that a module changes after exporting it (`export let`) is declared outside the functions, so that the others
see the change. The modules are written for this: imports on one line, exports at the declaration, no cycles. Anything
else is refused.
"""

import posixpath
import re
from collections.abc import Callable
from functools import cache

from .static_files import read_static

MAIN = "main.js"
ONE_SCRIPT = "page.js"
"""Its name, beside `main.js`, which is served module by module as well."""

NAMED = re.compile(r'^import \{ ([^}]+) \} from "(\.[^"]+)";$')
WHOLE = re.compile(r'^import \* as (\w+) from "(\.[^"]+)";$')
DECLARED = re.compile(r"^export (async function|function|class|const|let) (\w+)(.*)$", re.DOTALL)
OTHER = re.compile(r"^(?:import|export)\b")


@cache
def one_script(_edition: str) -> str:
    """Return the page's script. _edition: see `edition`; cached for each."""
    return join(MAIN, read_static)


def join(main: str, read: Callable[[str], str]) -> str:
    """Return one script equivalent to a module and everything that it imports.

    Args:
        main: Path of the module.
        read: Returns a module's text.

    Raises:
        ValueError: A module uses another form of import or export, or there is a cycle of imports.
    """
    found = _Joined(read)
    found.add(main, ())
    return "\n".join([*(f"let {name};" for name in found.live), *found.parts.values()])


class _Joined:
    """The modules joined so far.

    Attributes:
        parts: The modules, by path.
        live: Exported variables that change, with the modules that export them.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self.parts: dict[str, str] = {}
        self.live: dict[str, str] = {}

    def add(self, path: str, above: tuple[str, ...]) -> None:
        """Add a module after those that it imports. above: the chain of modules that import it."""
        if path in above:
            raise ValueError(f"{path} imports itself: {' > '.join(above[above.index(path) :])}")
        if path in self.parts:
            return
        lines, exported = [], []
        for line in self._read(path).splitlines():
            if found := NAMED.match(line) or WHOLE.match(line):
                other = posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2]))
                self.add(other, (*above, path))
                lines.append(self._taken(found, other))
            elif found := DECLARED.match(line):
                kind, name, rest = found.groups()
                exported.append(name)
                lines.append(f"{kind} {name}{rest}" if kind != "let" else self._shared(name, rest, path))
            elif OTHER.match(line):
                raise ValueError(f"{path} has a form of import or export that is not known here: {line}")
            else:
                lines.append(line)
        given = ", ".join(f"get {name}() {{ return {name}; }}" if name in self.live else name for name in exported)
        body = "\n".join(lines)
        self.parts[path] = f"const {_variable(path)} = (() => {{ // {path}\n{body}\nreturn {{ {given} }};\n}})();"

    def _taken(self, found: re.Match[str], other: str) -> str:
        if found.re is WHOLE:
            return f"const {found[1]} = {_variable(other)};"
        names = [name for name in found[1].split(", ") if self.live.get(name) != other]
        if changing := [name for name in names if self.live.get(name.partition(" as ")[0]) == other]:
            raise ValueError(f"{other} changes {changing[0].partition(' as ')[0]}, which keeps its name therefore")
        return f"const {{ {', '.join(names).replace(' as ', ': ')} }} = {_variable(other)};"

    def _shared(self, name: str, rest: str, path: str) -> str:
        if self.live.setdefault(name, path) != path:
            raise ValueError(f"{path} and {self.live[name]} both export a {name} that changes")
        return f"{name}{rest}"


def _variable(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))
