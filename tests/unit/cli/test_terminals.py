"""Odd terminals and systems: a dumb one, an unknown locale, Windows' unexpanded words, an early Ctrl+C."""

import io
import locale
from pathlib import Path
from typing import Any

import pytest
from fanslymotion import console
from fanslymotion.cli import arguments, main, start
from fanslymotion.cli.follower import Follower
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.settings import Settings
from rich.console import Console


def test_a_locale_that_python_does_not_know_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows' supplemental locales, and those that somebody has made."""

    def unknown(category: int = locale.LC_CTYPE) -> tuple[str, str]:
        raise ValueError("unknown locale: en-DE")

    monkeypatch.setattr(locale, "getlocale", unknown)
    assert console.system_language() == "en"


@pytest.mark.parametrize("kind", ["dumb", "xterm"])
def test_a_dumb_terminal_gets_lines(settings: Settings, photo: Path, kind: str) -> None:
    """Emacs' shell and serial lines: a bar that moves cannot be drawn there, and nothing at all was shown."""
    jobs, said = Jobs(settings), io.StringIO()
    job = jobs.submit(photo, VideoRequest(seed=1), name="mine")
    terminal = Console(file=said, force_terminal=True, width=100, _environ={"TERM": kind})
    with Follower(jobs, settings, terminal)._display() as show:
        show(job)
        assert ("mine: 0% waiting, place 1\n" in said.getvalue()) == (kind == "dumb")


def test_ctrl_c_before_the_page_stands_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*words: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "serve", interrupted)
    with pytest.raises(SystemExit) as ended:
        start.main(["--no-browser"])
    assert ended.value.code == 130


def test_ctrl_c_before_the_command_begins_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "repair_proxies", interrupted)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130


def test_on_windows_a_prompt_or_a_password_stays_as_it_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """typer would expand `$HOME`, `%PATH%`, `~` and `*` in every word there."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(main, "app", lambda **named: told.update(named))
    main.main()
    assert told["windows_expand_args"] is False


class TestWildcards:
    """Windows' terminals hand `*.jpg` on as it is."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("b.jpg", "a.jpg", "photo[1].jpg", "photo1.jpg", "notes.txt"):
            (tmp_path / name).write_bytes(b"x")
        return tmp_path

    def test_they_stand_for_files(self, folder: Path) -> None:
        found = arguments.find_photos([folder / "?.jpg"], wildcards=True)
        assert found == [folder / "a.jpg", folder / "b.jpg"]

    def test_a_file_with_that_name_counts_before(self, folder: Path) -> None:
        assert arguments.find_photos([folder / "photo[1].jpg"], wildcards=True) == [folder / "photo[1].jpg"]

    def test_elsewhere_the_shell_has_done_it(self, folder: Path) -> None:
        assert arguments.find_photos([folder / "*.jpg"], wildcards=False) == [folder / "*.jpg"]

    def test_a_pattern_for_nothing_is_said(self, folder: Path) -> None:
        with pytest.raises(BadInput, match=r"there is no photo .*\*\.heic"):
            arguments.find_photos([folder / "*.heic"], wildcards=True)
