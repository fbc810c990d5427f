"""Ctrl+C while a program starts ends it without a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fanslymotion.interrupt import ended_by_interrupt
from fanslymotion.settings import ROOT

HANGING = """
import runpy, sys, time
class Hanging:
    def find_spec(self, name, path=None, target=None):
        if name == "typer" or name == "argparse":
            print("importing", flush=True)
            time.sleep(600)
sys.meta_path.insert(0, Hanging())
"""
STARTS = {
    "fanslymotion": "runpy.run_module('fanslymotion', run_name='__main__')",
    "app.py": f"runpy.run_path({str(ROOT / 'app.py')!r}, run_name='__main__')",
}


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
@pytest.mark.parametrize("start", STARTS)
def test_a_program_that_imports_ends_silently(start: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING + STARTS[start]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"importing\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-signal.SIGINT, b"")


def test_afterwards_it_interrupts_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ended_by_interrupt():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is before


def test_what_ignores_it_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with ended_by_interrupt():
            if sys.platform != "win32":
                os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
