#!/usr/bin/env bash
# Start fanslymotion on Linux and macOS: find a Python that runs, hand over to launch.py.
set -u
here=$(cd -P "$(dirname "$(readlink -f "$0" 2>/dev/null || echo "$0")")" && pwd) || exit 1
own=$here/.python # what launcher/get_python.sh fetches

# A shim of pyenv or a stub may be on the PATH and still not run: ask each for what is needed.
suits='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
start() {
    for python in "${FANSLYMOTION_PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python "$own"/cpython-*/bin/python3 \
        "$here/.venv/bin/python"; do
        # -E: PYTHONHOME or PYTHONPATH of another program would break the Python that is asked.
        if "$python" -E -c "$suits" >/dev/null 2>&1; then
            exec "$python" -E "$here/launch.py" "$@"
        fi
    done
}

start "$@"
bash "$here/launcher/get_python.sh" "$own" >&2 && start "$@"

echo "fanslymotion needs Python 3.11, 3.12 or 3.13 with its venv module, found none and could not fetch one. To get it:" >&2
case $(uname -s) in
    Darwin) echo "  brew install python@3.13    or the installer from https://www.python.org/downloads/" >&2 ;;
    *) echo "  Debian 12, Ubuntu 24.04 and newer: sudo apt install python3 python3-venv    Fedora: sudo dnf install python3.13" >&2
       echo "  older ones, or without sudo: install uv (https://docs.astral.sh/uv/), then uv python install 3.13, then" >&2
       echo '  FANSLYMOTION_PYTHON=$(uv python find 3.13) bash launch.sh' >&2 ;;
esac
echo "Is it in an unusual place? FANSLYMOTION_PYTHON=/path/to/python3 bash launch.sh" >&2
exit 1
