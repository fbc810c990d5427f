"""Where the page's logins come from."""

import sys
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.ui.auth.given_logins import given_logins


def test_words_file_and_variable_add_up_and_the_first_owns_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "логины.txt"
    file.write_text("\ufeff# a comment\r\n\r\nben: a:b \r\nкарл:пароль\r\n", encoding="utf-8")
    environ = {"FANSLYMOTION_AUTH": "dora:#d\n", "PATH": "x"}
    found = given_logins(["anna:a"], file, environ)
    assert found == {"anna": "a", "ben": " a:b ", "карл": "пароль", "dora": "#d"}
    assert next(iter(found)) == "anna"
    assert environ == {"PATH": "x"}, "child processes do not get it"


def test_one_that_is_not_utf_8_is_refused_at_the_start() -> None:
    """From a terminal or a shell file of another code page: every log-in ended in an unforeseen error."""
    with pytest.raises(BadInput, match=r"the login 'anna' is not written in UTF-8") as said:
        given_logins([], None, {"FANSLYMOTION_AUTH": "anna:secret\udce9"})
    assert "secret" not in str(said.value)
    with pytest.raises(BadInput, match=r"the login 'andr\\udce9' is not"):
        given_logins(["andr\udce9:secret"], None, {})


def test_without_any_there_are_none() -> None:
    assert given_logins([], None, {}) == {}
    assert given_logins([], None, {"FANSLYMOTION_AUTH": ""}) == {}


def test_a_password_that_is_not_given_is_asked_for() -> None:
    asked: list[str] = []

    def ask(user: str) -> str:
        asked.append(user)
        return "typed"

    assert given_logins(["anna", "ben:b"], None, {}, ask) == {"anna": "typed", "ben": "b"}
    assert asked == ["anna"]


def test_without_a_terminal_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null" if sys.platform != "win32" else "NUL", encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(BadInput, match="no terminal to ask for it; use --auth-file"):
            given_logins(["anna"], None, {})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "holds no login"), (b"# anna:a\n", "holds no login"), (b"anna\n", "user:password"), (b"\xff\xfe", "read"),
     (b"anna:a\nanna:b\n", "given more than once")],
)  # fmt: skip
def test_a_file_that_is_wrong_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "logins.txt"
    file.write_bytes(content)
    with pytest.raises(BadInput, match=sentence):
        given_logins([], file, {})


@pytest.mark.parametrize("file", ["no such file", ".", "~nosuchuser/x", "x" * 5000, "a\0b"])
def test_a_file_that_cannot_be_read_is_told(file: str) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        given_logins([], Path(file), {})


def test_the_same_login_twice_is_a_mistake() -> None:
    with pytest.raises(BadInput, match="'anna' is given more than once"):
        given_logins(["anna:a"], None, {"FANSLYMOTION_AUTH": "anna:b"})


def test_no_wrong_login_is_repeated_with_its_password() -> None:
    """The sentence may end up in a log."""
    with pytest.raises(BadInput) as refused:
        given_logins([], None, {"FANSLYMOTION_AUTH": " :secret-1"})
    assert "secret-1" not in str(refused.value)
