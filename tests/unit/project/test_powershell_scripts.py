"""The .ps1 files and launch.cmd: syntax of PowerShell 5.1, commands that fail in it, which Python suits."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import tree_sitter_powershell
from fanslymotion.launcher.main import ROOT
from tree_sitter import Language, Node, Parser

SCRIPTS = sorted([*ROOT.glob("*.ps1"), *(ROOT / "launcher").glob("*.ps1")])
NOT_IN_5_1 = (b"&&", b"||", b"??", b"?.", b"-Parallel")
"""PowerShell 7's operators that the grammar accepts; it refuses the others (a ternary) by itself."""
GLOBBING = {
    "get-content",
    "set-content",
    "get-childitem",
    "get-item",
    "test-path",
    "copy-item",
    "move-item",
    "remove-item",
}
"""They read brackets in a folder's name as wildcards unless the word is `-LiteralPath`."""
FAILING = {
    "get-command": "reads brackets as wildcards",
    "get-filehash": "is missing in a Windows PowerShell that PowerShell 7 started by way of another program (#27774)",
    "invoke-webrequest": "reads brackets in -OutFile as wildcards (#3174) and knows no HTTPS_PROXY in 5.1",
    "start-process": "reads brackets as wildcards (#4726)",
}
"""Commands that these scripts must not use, and why; numbers are those of PowerShell's issues."""


def parse(text: bytes) -> Node:
    return Parser(Language(tree_sitter_powershell.language())).parse(text).root_node


def too_new(text: bytes) -> list[bytes]:
    code = re.sub(rb"#[^\n]*|'[^'\n]*'|\"[^\"\n]*\"", b"", text)
    return [operator for operator in NOT_IN_5_1 if operator in code]


def commands(node: Node) -> Iterator[tuple[str, list[str]]]:
    """Find each command with its parameters, in lower case."""
    if node.type == "command" and node.children[0].type == "command_name":
        words = [word for part in node.children if part.type == "command_elements" for word in part.children]
        parameters = [text(word) for word in words if word.type == "command_parameter"]
        yield text(node.children[0]), parameters
    for child in node.children:
        yield from commands(child)


def text(node: Node) -> str:
    return (node.text or b"").decode().lower()


def traps(script: bytes) -> list[str]:
    """Find commands that fail in a folder with brackets in its name, or in some Windows PowerShell."""
    found = []
    for name, parameters in commands(parse(script)):
        if name in FAILING or (name in GLOBBING and "-literalpath" not in parameters):
            found.append(name)
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_powershell_script_is_whole_and_fits_5_1(script: Path) -> None:
    text = script.read_bytes()
    assert not parse(text).has_error
    assert too_new(text) == []
    text.decode("ascii")  # 5.1 reads a file without a mark as the machine's old code page
    assert traps(text) == []


def test_all_powershell_scripts_are_there() -> None:
    assert [script.name for script in SCRIPTS] == ["launch.ps1", "get_python.ps1", "restart_worker.ps1"]


@pytest.mark.parametrize("line", ["a && b", "a || b", "$x = $y ?? 1", "${x}?.Length", "1..3 | % -Parallel { $_ }"])
def test_lint_finds_operators_that_5_1_does_not_have(line: str) -> None:
    assert too_new(line.encode())


@pytest.mark.parametrize("broken", ["if ($x) {", "$a = $b ? 1 : 2", "foreach ($a in $b { }", "$x = 'abc"])
def test_parser_finds_broken_syntax(broken: str) -> None:
    assert parse(broken.encode()).has_error


@pytest.mark.parametrize(
    "line",
    [
        "$a = Get-Content (Join-Path $here 'uv.txt') | Select-Object -First 1",
        "if ((Get-FileHash -LiteralPath $a).Hash -ne $sum) { }",
        "Invoke-WebRequest -Uri $a -OutFile $b",
        "if (-not (Test-Path $a)) { remove-item $b }",
    ],
)
def test_lint_finds_commands_that_fail_in_some_folders(line: str) -> None:
    assert traps(line.encode())
    assert traps(b"Get-Content -LiteralPath $a; Join-Path $a 'b'; & $uv python install") == []


@pytest.mark.parametrize(
    ("platform", "suits"),
    [("win-amd64", True), ("win-arm64", False), ("win32", False), ("mingw_x86_64_ucrt", False)],
)
def test_which_python_suits_on_windows(platform: str, suits: bool) -> None:
    """An ARM computer comes with a Python for ARM, for which there are no packages: one for AMD64 is fetched then."""
    script = (ROOT / "launch.ps1").read_text(encoding="utf-8")
    found = re.search(r"^\$suits = (.*?)^\$", script, re.MULTILINE | re.DOTALL)
    assert found
    question = "".join(part.replace("''", "'") for part in re.findall(r"'((?:[^'\n]|'')*)'", found[1]))
    assert '"' not in question, "Windows PowerShell hands it on as another word"
    there = f"import sysconfig; sysconfig.get_platform = lambda: {platform!r}; "
    done = subprocess.run([sys.executable, "-E", "-c", there + question], capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0 if suits else 1, "")


@pytest.mark.skipif(find_spec("uv") is None, reason="pip set this environment up")
def test_uv_knows_the_python_that_windows_gets(tmp_path: Path) -> None:
    """Not one for ARM: uv may choose that on an ARM computer some day."""
    script = (ROOT / "launcher" / "get_python.ps1").read_text(encoding="utf-8")
    found = re.search(r"^\$python = '(.*)'", script, re.MULTILINE)
    assert found
    words = ["python", "install", found[1], "--install-dir", str(tmp_path), "--no-bin", "--no-registry", "--no-config"]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--offline", *words], capture_output=True, encoding="utf-8", errors="replace"
    )
    assert re.search(r"/cpython-3\.13\.\S*-x86_64-pc-windows-msvc-", done.stderr), done.stderr


def test_a_double_click_on_windows() -> None:
    text = (ROOT / "launch.cmd").read_bytes()
    assert b'-File "%~dp0launch.ps1" %*' in text
    assert text.isascii()
