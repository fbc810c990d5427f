#!/usr/bin/env bash
# Fetch a Python of our own on Linux and macOS, where the machine has none that suits: uv, checked against uv.txt, and
# Python by uv.
#   get_python.sh FOLDER    exit code 0: FOLDER/cpython-*/bin/python3 is there
set -eu
folder=$1
here=$(cd -P "$(dirname "$0")" && pwd)

case $(uname -s)-$(uname -m) in
    Linux-x86_64) build=manylinux_2_17_x86_64 ;;
    Linux-aarch64) build=manylinux_2_17_aarch64 ;;
    Darwin-arm64) build=macosx_11_0_arm64 ;;
    *) exit 1 ;;
esac
while read -r sum address; do
    case $address in *"$build"*) break ;; esac
done <"$here/uv.txt"

fail() {
    echo "fanslymotion: $1" >&2
    exit 1
}

fetch() {
    if command -v curl >/dev/null; then
        curl -fsSL --retry 3 -o "$2" "$1"
    else
        wget -q -O "$2" "$1"
    fi
}

is_whole() {
    if command -v sha256sum >/dev/null; then
        echo "$sum  $1" | sha256sum -c --status
    else
        echo "$sum  $1" | shasum -a 256 -c --status
    fi
}

# A Python that is too old, or lacks its venv module, still unpacks.
unpack() {
    unzip -q -o "$1" -d "$2" 2>/dev/null || bsdtar -xf "$1" -C "$2" 2>/dev/null || python3 -m zipfile -e "$1" "$2" 2>/dev/null
}

part=$folder/part-$$
mkdir -p "$part"
trap 'rm -rf "$part"' EXIT
echo "fanslymotion: no Python 3.11, 3.12 or 3.13 is here; fetching one into $folder (50 MB, with uv, which installs it)" >&2
fetch "$address" "$part/uv.zip" || fail "$address cannot be fetched"
is_whole "$part/uv.zip" || fail "what came from $address is not what was expected"
unpack "$part/uv.zip" "$part" || fail "nothing here unpacks a ZIP file; install unzip"
for uv in "$part"/uv-*.data/scripts/uv; do
    chmod +x "$uv"
    "$uv" python install 3.13 --install-dir "$folder" --no-bin --no-config
done
