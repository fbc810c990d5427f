"""Addresses, ports and logins that the page starts with."""

import asyncio
import base64
import socket
from typing import NoReturn

import pytest
import uvicorn
from fanslymotion.cli.start import main
from fanslymotion.errors import BadInput
from fanslymotion.settings import Settings
from fanslymotion.ui import serve as serve_module
from fanslymotion.ui.auth.logins import (
    FREE_ATTEMPTS,
    PAUSE_SECONDS,
    STAND_INS,
    Logins,
    LoginThrottle,
    make_login,
    parse_logins,
    session_key,
)
from fanslymotion.ui.serve import event_loop
from fanslymotion.ui.server.address import is_local, listen, local_address


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True), ("127.8.8.8", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("studio.example", False)],
)  # fmt: skip
def test_which_addresses_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "http://127.0.0.1:7"), ("0.0.0.0", "http://127.0.0.1:7"), ("::1", "http://[::1]:7")],
)
def test_the_address_to_open(host: str, shown: str) -> None:
    assert local_address(host, 7) == shown


def test_a_taken_port_is_said_and_the_next_one_found() -> None:
    said: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(BadInput, match="taken by another program"):
            listen("127.0.0.1", other.getsockname()[1], said.append)
    first = listen("127.0.0.1", None, said.append)
    second = listen("127.0.0.1", None, said.append)
    assert first.getsockname()[1] != second.getsockname()[1]
    assert said[-1].endswith(f"this page is on port {second.getsockname()[1]}.")
    first.close()
    second.close()


def test_an_address_of_another_machine_gets_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"cannot be served at 203\.0\.113\.1"):
        listen("203.0.113.1", 7860, print)


@pytest.mark.parametrize("word", ["anna", ":x", "anna:", " :x"])
def test_a_login_that_is_none(word: str) -> None:
    with pytest.raises(BadInput, match="user:password"):
        parse_logins([word])


def test_a_password_may_hold_colons() -> None:
    assert parse_logins(["anna:a:b", "ben:c"]) == {"anna": "a:b", "ben": "c"}


@pytest.mark.parametrize("words", ["--port x", "--port 0", "--port 70000", "--auth anna", "--what"])
def test_wrong_words_end_with_2(words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("host", "share", "auth", "names"),
    [("127.0.0.1", False, {}, ()), ("0.0.0.0", False, {}, ("studio",)), ("127.0.0.1", True, {}, ("studio",)),
     ("192.0.2.7", False, {"anna": "a"}, ("anna",)), ("127.0.0.1", False, {"anna": "a"}, ("anna",))],
)  # fmt: skip
def test_who_can_be_reached_by_others_has_a_login(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, host: str, share: bool, auth: dict, names: tuple
) -> None:
    made: list[Logins] = []

    def build(_: Settings, logins: Logins, *__: str) -> NoReturn:
        made.append(logins)
        raise BadInput("enough")

    monkeypatch.setattr(serve_module, "_build", build)
    with socket.socket() as bound:  # Windows says no address of one that is not
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr(serve_module, "listen", lambda *_: bound)
        with pytest.raises(BadInput, match="enough"):
            serve_module.serve(settings, host, 7860, share, auth, open_browser=False, with_worker=False)
    assert made[0].names == names
    assert made[0].required == bool(names)


# --- logins --------------------------------------------------------------------------------------------------------


def test_a_session_is_its_logins_own_and_ends(tmp_path) -> None:
    logins = Logins({"anna": "a", "ben": "b"}, session_key(tmp_path))
    token = logins.open_session("anna", now=1000.0)
    assert logins.session_user(token, now=1001.0) == "anna"
    assert logins.session_user(token, now=1000.0 + 31 * 24 * 3600) is None
    body, _, signature = token.partition(".")
    other = logins.open_session("ben", now=1000.0).partition(".")[0]
    deep = base64.urlsafe_b64encode(b"[" * 40_000).decode()
    for forged in (deep, f"{other}.{signature}", body, f"{body}.", f"x{token}", "", "."):
        assert logins.session_user(forged, now=1001.0) is None


def test_a_restart_logs_nobody_out_and_a_new_password_does(tmp_path) -> None:
    token = Logins({"anna": "a"}, session_key(tmp_path)).open_session("anna")
    assert Logins({"anna": "a"}, session_key(tmp_path)).session_user(token) == "anna"
    assert Logins({"anna": "new"}, session_key(tmp_path)).session_user(token) is None


def test_after_five_wrong_passwords_one_more_every_ten_seconds() -> None:
    now = [0.0]
    brake = LoginThrottle(("anna", "ben"), lambda: now[0])
    looked_at = 0
    for second in range(3600):
        now[0] = float(second)
        while brake.wait("anna") == 0:
            brake.failed("anna")
            looked_at += 1
    assert looked_at == FREE_ATTEMPTS + 3599 // PAUSE_SECONDS
    assert 0 < brake.wait("anna") <= PAUSE_SECONDS, "and whoever has the right one waits no longer"
    assert brake.wait("ben") == 0, "others are not slowed down"
    assert brake.wait("anna", "a browser that has logged in before") == 0


def test_made_up_names_fill_no_memory_and_look_like_logins() -> None:
    brake = LoginThrottle(("anna",), lambda: 0.0)
    for number in range(10_000):
        brake.failed(f"nobody-{number}")
    assert len(brake._paid_until) <= STAND_INS
    for _ in range(FREE_ATTEMPTS):  # which other names share its place is different in each process
        brake.failed("nobody-1")
    assert brake.wait("nobody-1") > 0
    assert brake.wait("anna") == 0


def test_a_browser_is_known_by_a_mark_of_that_login() -> None:
    logins = Logins({"anna": "a", "ben": "b"}, b"k" * 32)
    mark = logins.mark("anna")
    assert logins.known_mark("anna", mark)
    for other in (logins.mark("ben"), mark + "0", mark.partition(".")[0], logins.open_session("anna"), "", "."):
        assert logins.known_mark("anna", other) == ""
    assert logins.known_mark("nobody", mark) == ""
    assert logins.session_user(mark) is None, "it opens nothing"


def test_a_made_login_is_not_guessable() -> None:
    assert len({next(iter(make_login().values())) for _ in range(50)}) == 50


def test_the_first_login_owns_the_machine() -> None:
    logins = Logins({"anna": "a", "ben": "b"}, b"k" * 32)
    assert logins.owns_machine("anna")
    assert not logins.owns_machine("ben")
    assert Logins({}, b"k" * 32).owns_machine("")


def test_a_reset_connection_does_not_end_the_page_on_windows() -> None:
    """Windows' default event loop closes the listening socket then (python/cpython#93821)."""
    assert event_loop("win32") == "asyncio:SelectorEventLoop"
    config = uvicorn.Config(lambda: None, log_config=None, loop=event_loop("win32"))
    assert config.get_loop_factory() is asyncio.SelectorEventLoop
    assert serve_module.Server(lambda: None, lambda: None, lambda: None).config.loop == event_loop()
