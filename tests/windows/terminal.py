"""A Windows program in a pseudo-terminal, which wine shows it as a console: keys reach it as console events."""

import os
import pty
import subprocess
import threading
import time
from pathlib import Path

CTRL_C = b"\x03"


class Terminal:
    """Start the program at once. said: what the terminal has shown so far."""

    def __init__(self, words: list[str], cwd: Path, environ: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.said = ""
        # setsid gives it this terminal as its own; without that Ctrl+C is only a letter.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "wine", *words],
            cwd=cwd,
            env={**environ, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # how Linux ends a terminal without programs
                return
            if not piece:
                return
            self.said += piece.decode("utf-8", "replace")

    def wait_for(self, words: str, seconds: float) -> None:
        """Until the terminal shows these words. Raise AssertionError with all that it shows when it does not."""
        end = time.monotonic() + seconds
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(0.1)

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
