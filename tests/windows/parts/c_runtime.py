"""Write the source of a ucrtbase.dll that hands on to wine's, with the C99 complex functions that wine only stubs.

c_runtime.py WINES_UCRTBASE COPY: writes crt.c and crt.def here, and COPY, a wine DLL that wine takes for a native one.
"""

import re
import subprocess
import sys
from pathlib import Path

HEAD = """#include <complex.h>
#include <math.h>
typedef struct { float x, y; } fc; typedef struct { double x, y; } dc;
static inline float complex F(fc z) { float complex r; __real__ r = z.x; __imag__ r = z.y; return r; }
static inline double complex D(dc z) { double complex r; __real__ r = z.x; __imag__ r = z.y; return r; }
static inline fc f(float complex z) { fc r = { __real__ z, __imag__ z }; return r; }
static inline dc d(double complex z) { dc r = { __real__ z, __imag__ z }; return r; }
#define clog10(z) (clog(z) / 2.302585092994045684)
#define clog10f(z) (clogf(z) / 2.302585093f)"""
UNARY = (
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "log", "log10"),
    *("proj", "sin", "sinh", "sqrt", "tan", "tanh", "onj"),
)
STRICT = {"_read", "_fstat64", "_fstat64i32", "_fstat32", "_fstat32i64"}
"""What pipes.c has its own of."""


def dump(flag: str, dll: str) -> str:
    command = ["x86_64-w64-mingw32-objdump", flag, dll]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout


def functions() -> dict[str, str]:
    """Each complex function's name in C, and its definition; `long double` is `double` there."""
    made = {}
    for name in (f"c{end}" for end in UNARY):
        for end in ("", "l"):
            made[name + end] = f"dc W_{name}{end}(dc z) {{ return d({name}(D(z))); }}"
        made[f"{name}f"] = f"fc W_{name}f(fc z) {{ return f({name}f(F(z))); }}"
    for end, kind, to_c, part, suffix, back in (
        ("", "dc", "D", "double", "", "d"),
        ("l", "dc", "D", "double", "", "d"),
        ("f", "fc", "F", "float", "f", "f"),
    ):
        for name in ("cabs", "carg"):
            made[name + end] = f"{part} W_{name}{end}({kind} z) {{ return {name}{suffix}({to_c}(z)); }}"
        made["creal" + end] = f"{part} W_creal{end}({kind} z) {{ return z.x; }}"
        made["cimag" + end] = f"{part} W_cimag{end}({kind} z) {{ return z.y; }}"
        power = f"{back}(cpow{suffix}({to_c}(p), {to_c}(e)))"
        made["cpow" + end] = f"{kind} W_cpow{end}({kind} p, {kind} e) {{ return {power}; }}"
    return made


def main() -> None:
    source, copy = sys.argv[1:]
    stubs = set(re.findall(r"__wine_stub_(\S+)", dump("-t", source)))
    table = dump("-p", source).split("[Ordinal/Name Pointer] Table", 1)[1].split("\n\n", 1)[0]
    names = re.findall(r"^\s*\[\s*\d+\].*?(\S+)$", table, re.MULTILINE)
    own = {name: line for name, line in functions().items() if name in stubs}

    def target(name: str) -> str:
        return f"W_{name}" if name in own else f"S_{name}" if name in STRICT else f"ucrtw.{name}"

    exports = "".join(f"{name} = {target(name)}\n" for name in names)
    Path("crt.c").write_text("\n".join([HEAD, *own.values()]) + "\n", encoding="utf-8")
    Path("crt.def").write_text(f"LIBRARY ucrtbase.dll\nEXPORTS\n{exports}", encoding="utf-8")
    data = bytearray(Path(source).read_bytes())
    at = data.find(b"Wine builtin DLL")
    data[at : at + 16] = bytes(16)
    Path(copy).write_bytes(data)


main()
