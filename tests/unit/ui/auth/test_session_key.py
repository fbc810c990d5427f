"""The key that signs the sessions: there after a kill at any call, replaced when it is damaged, the same for two."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.ui.auth.logins import KEY_BYTES, session_key

DIES = """
import os, sys
from pathlib import Path
from fanslymotion.ui.auth.logins import session_key

count = last = 0

def call(*_):
    global count
    count += 1
    if count == last:
        os._exit(9)  # as SIGKILL does: nothing is flushed, no `finally` runs

def on_event(event, args):
    if event == "open" or event.split(".")[0] == "os":
        call()

sync = os.fsync
os.fsync = lambda fd: (call(), sync(fd))
sys.addaudithook(on_event)
killed, n = True, 0
while killed:
    n += 1
    child = os.fork()
    if not child:
        count, last = 0, n
        session_key(Path(sys.argv[1]) / str(n))
        os._exit(0)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
"""
"""A process for each file-system call of making a key, in a folder of its own; it dies before that call."""


@pytest.mark.skipif(sys.platform == "win32", reason="forks; the calls are the same there")
def test_a_kill_at_any_call_leaves_a_page_that_starts(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], timeout=280, check=True)
    homes = list(tmp_path.iterdir())
    assert len(homes) > 10
    for home in homes:
        path = home / "session.key"
        written = path.read_bytes() if path.exists() else None
        key = session_key(home)
        assert len(key) == KEY_BYTES
        assert key == session_key(home)
        assert written in (None, key)


@pytest.mark.parametrize("content", [b"", b"short", b"k" * (KEY_BYTES - 1)])
def test_a_damaged_key_is_replaced(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "session.key"
    path.write_bytes(content)
    key = session_key(tmp_path)
    assert path.read_bytes() == key != content
    assert len(key) == KEY_BYTES
    assert "log in again" in caplog.text


AS_NOBODY = """
import os, sys
from pathlib import Path
from fanslymotion.ui.auth.logins import session_key

os.setegid(65534)
os.seteuid(65534)
print(session_key(Path(sys.argv[1])).hex())
"""


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another account")
def test_a_key_that_this_account_cannot_read_is_replaced() -> None:
    """A first start as root must not lock the user out."""
    with tempfile.TemporaryDirectory() as home:  # pytest's own folders are closed to others
        shutil.chown(home, 65534, 65534)
        path = Path(home) / "session.key"
        path.write_bytes(b"k" * KEY_BYTES)
        path.chmod(0o600)
        words = [sys.executable, "-c", AS_NOBODY, home]
        done = subprocess.run(words, capture_output=True, encoding="utf-8", errors="replace", timeout=280, check=True)
        assert path.read_bytes().hex() == done.stdout.strip() != (b"k" * KEY_BYTES).hex()


def test_two_starts_at_the_same_moment_have_one_key(tmp_path: Path) -> None:
    for n in range(20):
        home = tmp_path / str(n)
        home.mkdir()
        if n % 2:
            (home / "session.key").write_bytes(b"damaged")
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(session_key, [home] * 8))) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_no_other_account_can_read_it(tmp_path: Path) -> None:
    session_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "session.key").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(StoreError, match=r"cannot be written.*FANSLYMOTION_HOME"):
        session_key(blocked / "data")


def test_a_good_key_needs_no_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = session_key(tmp_path)
    (tmp_path / "session.key.lock").unlink(missing_ok=True)
    assert session_key(tmp_path) == key
    assert not (tmp_path / "session.key.lock").exists()
