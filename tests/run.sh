#!/usr/bin/env bash
# Run all tests, on a fresh machine too: it installs what they need first.
#   bash tests/run.sh [WORDS FOR PYTEST]    all but the soak tests
#   bash tests/run.sh fast [WORDS]          unit tests that load no torch and take few seconds: before each push
#   bash tests/run.sh explore [WORDS]       all; properties are tried with new examples, not the same as ever
#   bash tests/run.sh --record              all, and how long each file takes: what order and `fast` go by (tests/order.py)
#   bash tests/run.sh --coverage [WORDS]    all of them, and which branches of the program they reach
#   bash tests/run.sh --windows [WORDS]     the portable part with Windows' Python under wine (Linux; docs/windows.md)
#   bash tests/run.sh mutation [FILES]      which changes of the careful parts no test notices (tests/mutation.py)
#   bash tests/run.sh -m soak               the long ones, rare ones, and the second of a kind
#   bash tests/run.sh prepare               only what a first run installs and compiles (.ci/run: beside the linters)
set -eu
cd "$(dirname "$0")/.."
# Bytecode is kept: hundreds of processes would compile the program anew, and each of xdist's all tests.
unset PYTHONDONTWRITEBYTECODE
bash launch.sh setup --dev
python=.venv/bin/python
[ -x "$python" ] || python=.venv/Scripts/python.exe

if [ "${1:-}" = --windows ]; then
    shift
    FANSLYMOTION_WINE=${FANSLYMOTION_WINE:-$PWD/build/wine}
    export FANSLYMOTION_WINE
    bash tests/windows/wine_python.sh "$FANSLYMOTION_WINE"
    exec "$python" -m pytest tests/windows -rP "$@"
fi

# A test's pictures are too small for several threads, and the processes side by side leave no processor for them.
export OMP_NUM_THREADS=1 OPENCV_FOR_THREADS_NUM=1

# Side by side, one file each. Half of a test's time is waiting: five for two processors. Each takes 1.5 GB of memory,
# with the studio, the worker and the browser of its tests.
processes=$("$python" -c "import os, psutil
print(max(1, min(8, 5 * (os.cpu_count() or 1) // 2, psutil.virtual_memory().total // 1_500_000_000)))")
side_by_side="--numprocesses $processes --dist loadfile --no-loadscope-reorder"

case "${1:-}" in
    mutation)
        shift
        exec "$python" tests/mutation.py "$@"
        ;;
    explore)
        shift
        export FANSLYMOTION_EXPLORE=1
        ;;
    fast)
        shift
        # shellcheck disable=SC2086 # words of our own
        exec "$python" -m pytest $side_by_side tests/unit --fast -k "not postgresql" "$@"
        ;;
esac

# The browser tests drive the system's own Chromium or Chrome, or the one FANSLYMOTION_CHROMIUM names.
find_browser() {
    for browser in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "${PROGRAMFILES:-/none}/Google/Chrome/Application/chrome.exe"; do
        if command -v "$browser" >/dev/null 2>&1; then
            command -v "$browser"
            return
        fi
    done
    return 1
}

root=""
[ "$(id -u)" = 0 ] || root="sudo -n"

install_browser() {
    # Ubuntu's package of that name only points to a snap, which does not start in many containers.
    if command -v apt-get >/dev/null && ! grep -qs '^ID=ubuntu' /etc/os-release && $root true 2>/dev/null; then
        $root apt-get update -qq
        for browser in chromium-headless-shell chromium; do # older systems have only the second
            $root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends "$browser" fonts-noto-color-emoji >/dev/null && return
        done
        return 1
    else
        "$python" -m playwright install chromium
    fi
}

# After a set-up nothing has its bytecode yet: one process compiles it, or each of xdist's would compile all of it.
compiling=""
torch=$("$python" -c "import importlib.util; print(importlib.util.find_spec('torch').submodule_search_locations[0])")
if [ ! -d "$torch/__pycache__" ]; then
    "$python" -m pytest --collect-only -qq tests >/dev/null 2>&1 &
    compiling=$!
fi

case " $* " in
    *"not browser"*) ;; # the tests that need one were not asked for
    *)
        if [ -z "${FANSLYMOTION_CHROMIUM:-}" ] && ! find_browser >/dev/null && ! install_browser; then
            echo "tests/run.sh: no Chromium or Chrome found, and it could not be installed from here." >&2
            echo "  Install one, or name it: FANSLYMOTION_CHROMIUM=/path/to/chrome bash tests/run.sh" >&2
            echo "  Or leave those tests out: bash tests/run.sh -m 'not soak and not browser'" >&2
            exit 1
        fi
        # Without one of the system, Playwright finds the one it has just installed by itself.
        FANSLYMOTION_CHROMIUM=${FANSLYMOTION_CHROMIUM:-$(find_browser || true)}
        export FANSLYMOTION_CHROMIUM
        ;;
esac

# Tests of clocks that are set need it; where it is not to be had they are skipped, and say so.
if ! command -v faketime >/dev/null && command -v apt-get >/dev/null && $root true 2>/dev/null; then
    $root apt-get install -y -qq --no-install-recommends faketime >/dev/null 2>&1 ||
        { $root apt-get update -qq && $root apt-get install -y -qq --no-install-recommends faketime >/dev/null; } || true
fi

# So do those of a reverse proxy. Unpacked, not installed: Debian's package would start a server on this machine.
if [ ! -x /usr/sbin/nginx ] && [ ! -x build/nginx/usr/sbin/nginx ] && command -v apt-get >/dev/null; then
    mkdir -p build/nginx
    (cd build/nginx && { apt-get download -qq nginx >/dev/null 2>&1 && dpkg -x nginx_*.deb .; }) || true
fi

[ -z "$compiling" ] || wait "$compiling" || true # what it could not collect, the run itself says
[ "${1:-}" != prepare ] || exit 0

if [ "${1:-}" = --coverage ]; then
    shift
    rm -rf build/coverage
    mkdir -p build/coverage
    COVERAGE_FILE=$PWD/build/coverage/data
    export COVERAGE_FILE
    # The report comes even when a test fails. Tests take about twice as long: what is measured costs time at each line.
    failed=0
    # shellcheck disable=SC2086
    "$python" -m coverage run -m pytest $side_by_side --timeout 1200 "$@" || failed=$?
    "$python" -m coverage combine --quiet
    "$python" -m coverage report --sort=cover --skip-covered
    "$python" -m coverage report --include='*/pipeline/*,*/queue/*' --format=total --fail-under=90 || failed=$?
    exit $failed
fi

# shellcheck disable=SC2086
exec "$python" -m pytest $side_by_side "$@"
