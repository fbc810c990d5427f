"""Who may use the page: passwords, signed sessions that outlive a restart, and a brake on guessing."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..errors import BadInput

SESSION_SECONDS = 30 * 24 * 3600
FREE_ATTEMPTS = 5
"""Wrong passwords in a row for one login from one address before each further one costs time."""
FREE_ATTEMPTS_PER_ADDRESS = 20
LONGEST_WAIT_SECONDS = 60.0
FORGET_SECONDS = 15 * 60
MOST_TRACKED = 10_000


def parse_logins(words: Sequence[str]) -> dict[str, str]:
    """`user:password` words to a mapping. Raise BadInput on one that is neither."""
    logins: dict[str, str] = {}
    for word in words:
        user, colon, password = word.partition(":")
        if not colon or not user.strip() or not password:
            raise BadInput(f"--auth is {word!r}; write it as user:password, both not empty")
        logins[user.strip()] = password
    return logins


def make_login() -> dict[str, str]:
    """The login of a page that others can reach and for which nobody chose one."""
    return {"studio": secrets.token_urlsafe(9)}


class Brake:
    """Slows down whoever guesses: after some free attempts each wrong one doubles the wait, up to a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[tuple[str, ...], tuple[int, float]] = {}

    def wait(self, user: str, address: str) -> float:
        """Seconds until the next attempt of this kind is looked at; 0 = now."""
        return max(
            self._wait((user, address), FREE_ATTEMPTS),
            self._wait((address,), FREE_ATTEMPTS_PER_ADDRESS),
        )

    def failed(self, user: str, address: str) -> None:
        now = self._now()
        for key in ((user, address), (address,)):
            count, last = self._failures.pop(key, (0, now))
            self._failures[key] = (1 if now - last > FORGET_SECONDS else count + 1, now)
        while len(self._failures) > MOST_TRACKED:
            self._failures.pop(next(iter(self._failures)))

    def succeeded(self, user: str, address: str) -> None:
        self._failures.pop((user, address), None)

    def _wait(self, key: tuple[str, ...], free: int) -> float:
        count, last = self._failures.get(key, (0, 0.0))
        if count < free or self._now() - last > FORGET_SECONDS:
            return 0.0
        pause = min(LONGEST_WAIT_SECONDS, 2.0 ** min(count - free, 10))
        return max(0.0, last + pause - self._now())


class Logins:
    """The page's logins. Without any, everybody who reaches the page is the same person, named "".

    key: signs the sessions; kept in the data folder, so that a restart logs nobody out.
    The first login owns the machine: pausing the queue, restarting workers and downloading models are theirs.
    """

    def __init__(self, passwords: Mapping[str, str], key: bytes) -> None:
        self._passwords = dict(passwords)
        self._key = key
        self.brake = Brake()

    @property
    def required(self) -> bool:
        return bool(self._passwords)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._passwords)

    def owns_machine(self, user: str) -> bool:
        return not self._passwords or user == next(iter(self._passwords))

    def check(self, user: str, password: str) -> bool:
        """Takes equally long for an unknown login and a wrong password."""
        known = self._passwords.get(user)
        expected = known if known is not None else secrets.token_urlsafe(16)
        same = hmac.compare_digest(expected.encode(), password.encode())
        return same and known is not None

    def open_session(self, user: str, now: float | None = None) -> str:
        """A signed token for the cookie."""
        ends = int((time.time() if now is None else now) + SESSION_SECONDS)
        body = base64.urlsafe_b64encode(json.dumps([user, ends, secrets.token_hex(8)]).encode()).decode()
        return f"{body}.{self._sign(user, body)}"

    def session_user(self, token: str, now: float | None = None) -> str | None:
        """The login that a token stands for; None when it is forged, too old, or its password was changed."""
        body, _, signature = token.partition(".")
        try:
            user, ends, _ = json.loads(base64.urlsafe_b64decode(body.encode()))
        except (ValueError, TypeError):
            return None
        if not isinstance(user, str) or user not in self._passwords or not isinstance(ends, int):
            return None
        if not hmac.compare_digest(self._sign(user, body).encode(), signature.encode()):
            return None
        return user if ends > (time.time() if now is None else now) else None

    def _sign(self, user: str, body: str) -> str:
        """The password is part of the key: changing it ends that login's sessions."""
        key = self._key + hashlib.sha256(self._passwords[user].encode()).digest()
        return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def session_key(home: Path) -> bytes:
    """Read the key, or make it. Two starts at the same moment end up with the same one."""
    path = home / "session.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    for _ in range(50):  # the other start may have created the file and not written it yet
        key = path.read_bytes()
        if len(key) >= 32:
            return key
        time.sleep(0.02)
    raise BadInput(f"{path} is damaged; delete it (everybody has to log in again)")
