#!/usr/bin/env bash
# Build a Windows CPython 3.11 that runs under wine, from packages of Debian/Ubuntu and PyPI alone: wine_python.sh FOLDER
# A second run into the same folder only brings what is missing. FOLDER/env.sh is the environment of its programs;
# FOLDER/wheels holds this project's Windows wheels; C:\Python311 lies in FOLDER/wine/drive_c/Python311.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1"
base=$(cd "$1" && pwd)
mkdir -p "$base"/{dl,src,locale,wheels}
CC=x86_64-w64-mingw32-gcc

say() { echo "tests/windows: $*" >&2; }

# The Windows interpreter is a 3.11, so its standard library comes from a 3.11, too.
py311=${PY311:-}
for candidate in "$root/.venv/bin/python" python3.11; do
    [ -n "$py311" ] || ! "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
        py311=$candidate
done
if [ -z "$py311" ]; then
    say "no Python 3.11 is here; install one, or name it: PY311=/path/to/python3.11"
    exit 1
fi
stdlib=$("$py311" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')

# 1. wine (64 bit is enough), the cross compiler, a Russian locale: from it wine takes the code pages 1251 and 866.
if ! command -v wine >/dev/null || ! command -v $CC >/dev/null || ! command -v localedef >/dev/null; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if ! command -v apt-get >/dev/null || ! $sudo true 2>/dev/null; then
        say "wine, mingw-w64's gcc for x86_64 and localedef are needed, and cannot be installed from here"
        exit 1
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 locales >/dev/null
fi
[ -d "$base/locale/ru_RU.UTF-8" ] || localedef -i ru_RU -f UTF-8 "$base/locale/ru_RU.UTF-8"

# 2. python311.dll, the standard library's .pyd files and their DLLs: panda3d's wheel carries them for building games.
cd "$base/dl"
download() {
    "$py311" -m pip download -q --disable-pip-version-check --only-binary=:all: \
        --platform win_amd64 --python-version 3.11 --implementation cp "$@"
}
ls panda3d-*.whl >/dev/null 2>&1 || download --no-deps -d . panda3d==1.10.16
"$py311" -m zipfile -e panda3d-*.whl .

# 3. The prefix, and C:\Python311.
cat >"$base/env.sh" <<EOF
export WINEPREFIX='$base/wine' WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=;mshtml=;ucrtbase=n,b"
export KMP_AFFINITY=disabled # Intel's OpenMP in torch asks for NUMA nodes that wine 8 does not know
export LOCPATH='$base/locale' LC_ALL=ru_RU.UTF-8
export PIP_NO_INDEX=1 PIP_CONFIG_FILE=nul PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_FIND_LINKS='Z:${base//\//\\}\\wheels'
EOF
# Its pip variables are for the Python inside, not for the downloads below: hence the brackets.
# shellcheck disable=SC1091
[ -d "$base/wine/drive_c" ] ||
    (. "$base/env.sh" 2>/dev/null && WINEDLLOVERRIDES="mscoree=;mshtml=" wineboot -i >/dev/null 2>&1)
P=$base/wine/drive_c/Python311
mkdir -p "$P/DLLs" "$P/Lib/site-packages" "$P/Lib/venv/scripts/nt"
cp deploy_libs/*.pyd deploy_libs/{libcrypto-3,libssl-3,libffi-8,sqlite3}.dll "$P/DLLs/"
cp deploy_libs/python311.dll "$P/"
cp deploy_libs/VCRUNTIME140.dll "$P/vcruntime140.dll"
cp panda3d/MSVCP140.dll "$P/msvcp140.dll"
tar -C "$stdlib" --exclude=site-packages --exclude=__pycache__ --exclude=lib-dynload --exclude='config-3.11*' \
    --exclude='_sysconfigdata*' -cf - . | tar -C "$P/Lib" -xf -

# 4. What the wheel lacks, compiled: python.exe, python3.dll (stable ABI), the redirector of venvs,
#    bcryptprimitives.dll (Rust wheels), and a ucrtbase.dll with the complex functions that wine 8 only stubs (numpy).
cd "$base/src"
export LC_ALL=C # objdump translates its headings
names() {
    x86_64-w64-mingw32-objdump -p "$1" |
        awk '/\[Ordinal\/Name Pointer\] Table/{on=1;next} on&&/^[[:space:]]*\[/{print $NF;next} NF==0{on=0}'
}
names "$P/python311.dll" >names
{ printf 'LIBRARY python311.dll\nEXPORTS\n'; cat names; } >python311.def
{ printf 'LIBRARY python3.dll\nEXPORTS\n'; sed 's/.*/& = python311.&/' names; } >python3.def
x86_64-w64-mingw32-dlltool -d python311.def -l libpython311.a
$CC -municode -O2 -o "$P/python.exe" "$here/parts/python.c" -L. -lpython311
$CC -shared -nostdlib -o "$P/python3.dll" python3.def -L. -lpython311 2>/dev/null
$CC -municode -O2 -o "$P/Lib/venv/scripts/nt/python.exe" "$here/parts/redirector.c"
cp "$P/Lib/venv/scripts/nt/python.exe" "$P/Lib/venv/scripts/nt/pythonw.exe"
# In system32, as on Windows: uv.exe lies in an environment's Scripts and looks for it only there.
$CC -O2 -shared -o "$base/wine/drive_c/windows/system32/bcryptprimitives.dll" "$here/parts/random.c" -ladvapi32
crt=$(find /usr/lib /opt -path '*x86_64-windows/ucrtbase.dll' 2>/dev/null | head -n 1)
"$py311" "$here/parts/c_runtime.py" "$crt" "$P/ucrtw.dll"
$CC -O2 -shared -o "$P/ucrtbase.dll" crt.c "$here/parts/pipes.c" crt.def -static-libgcc 2>/dev/null

# 5. The project's Windows wheels, uv for the launcher, and what its tests import. pip reads markers for this system, so
#    colorama is named.
pins() { grep -hE "^($1)(\[.*\])?==" "$root/requirements.txt" "$root/tests/requirements.txt" | cut -d';' -f1; }
grep -vhE '^(-e|#|$)' "$root/requirements.txt" >requirements.txt
uv=uv==$(sed -n 's,.*/uv-\([0-9.]*\)-.*,\1,p' "$root/launcher/uv.txt" | head -n 1)
download --no-deps -d "$base/wheels" -r requirements.txt "$(pins colorama)" "$uv"
pins 'hypothesis|psycopg|pytest|pytest-timeout|tree-sitter|tree-sitter-powershell|trustme' >tests.txt
download -d "$base/wheels" -r tests.txt
touch "$base/ready"
