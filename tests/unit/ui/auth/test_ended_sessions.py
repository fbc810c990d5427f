"""Sessions that were logged out: also by another page on the same folder, and without waiting for its disk."""

import os
import threading
from pathlib import Path

import pytest
from fanslymotion.tests.studio import wait_for
from fanslymotion.ui.auth import ended_sessions
from fanslymotion.ui.auth.ended_sessions import LOOK_SECONDS, EndedSessions


def ended(sessions: EndedSessions, *tokens: str) -> EndedSessions:
    for token in tokens:
        sessions.end(token)
        sessions.keep(token)
    return sessions


def test_another_page_on_the_folder_hears_of_it(tmp_path: Path) -> None:
    now = 0.0
    folder = tmp_path / "ended"
    other = EndedSessions(folder, lambda: now)
    here = ended(EndedSessions(folder), "hers")
    assert "hers" in here
    assert "his" not in here
    assert "hers" in EndedSessions(folder), "and after a restart"
    now += LOOK_SECONDS
    wait_for(lambda: "hers" in other, pause=0.01)
    assert "his" not in other


def test_a_disk_that_does_not_answer_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, go_on, asked = 0.0, threading.Event(), []
    sessions = ended(EndedSessions(tmp_path / "ended", lambda: now), "hers")

    def hang(folder: Path) -> list[str]:
        asked.append(folder)
        assert go_on.wait(20)
        raise OSError("the share is away")

    with monkeypatch.context() as patched:
        patched.setattr(ended_sessions, "os", type("os", (), {"listdir": staticmethod(hang)}))
        for _ in range(5):
            now += LOOK_SECONDS
            assert ["hers" in sessions, "his" in sessions] == [True, False]
        wait_for(lambda: asked, pause=0.01)
        assert len(asked) == 1, "one thread at most waits for it"
        go_on.set()
        wait_for(lambda: not sessions._looking.locked(), pause=0.01)
    assert "hers" in sessions
    assert os.listdir(tmp_path / "ended")


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_sessions, "MOST_KEPT", 3)
    sessions = ended(EndedSessions(tmp_path), *(f"token {number}" for number in range(5)))
    assert len(os.listdir(tmp_path)) == 3
    assert all(f"token {number}" in sessions for number in range(5))
