"""Check passwords, sign sessions that survive a restart, and slow down guessing."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from ...errors import BadInput, StoreError
from ...fs import make_private, read_patiently, write_whole
from ...messages import msg
from ...queue.store.listing import Owner
from .ended_sessions import EndedSessions

log = logging.getLogger(__name__)

KEY_BYTES = 32
SESSION_SECONDS = 30 * 24 * 3600
FREE_ATTEMPTS = 5
"""Wrong passwords for one login that are checked without a pause."""
PAUSE_SECONDS = 10.0
"""After those, seconds until one more is checked; the longest wait."""
STAND_INS = 1024
"""Names that are no login share so many counters, so that made-up names fill no memory."""


def parse_logins(words: Sequence[str]) -> dict[str, str]:
    """Parse `user:password` words. Raise BadInput, without the password, for an invalid one."""
    logins: dict[str, str] = {}
    for word in words:
        user, colon, password = word.partition(":")
        if not colon or not user.strip() or not password:
            raise BadInput(
                msg("the login {login!r} is not complete; write it as user:password, both not empty", login=user[:60])
            )
        if not _is_utf8(word):
            raise BadInput(
                msg(
                    "the login {login!r} is not written in UTF-8, as browsers send it; write it so, or use --auth-file",
                    login=user[:60],
                )
            )
        logins[user.strip()] = password
    return logins


def _is_utf8(text: str) -> bool:
    """Tell whether bytes of the command line or the environment were text, whatever their code page."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def make_login() -> dict[str, str]:
    """Make a login for a page that others can reach, if the user chose none."""
    return {"studio": secrets.token_urlsafe(9)}


class LoginThrottle:
    """Slow down guessing: five wrong passwords for a login are checked at once, then one every ten seconds.

    Attempts are counted for each login over all addresses: an attacker has many addresses, and behind a share link's
    tunnel all visitors have the same one. So no address is refused, only a login's next attempt, for at most
    PAUSE_SECONDS. A right password costs nothing and resets nothing: otherwise a script that logs in every second
    would give a guesser a new start each time.

    Continuous guessing uses up the attempts of unknown browsers. A browser that has logged in before sends a signed
    mark (`Logins.mark`), and its attempts are counted separately.

    Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
    """

    def __init__(self, names: Collection[str] = (), now: Callable[[], float] = time.monotonic) -> None:
        self._names, self._now = names, now
        self._paid_until: dict[tuple[str, str], float] = {}
        """By login and browser: each wrong attempt pays for PAUSE_SECONDS; FREE_ATTEMPTS of them on credit."""

    def wait(self, user: str, mark: str = "") -> float:
        """Return the seconds until the next attempt is checked. mark: of a browser that has logged in before."""
        ahead = self._paid_until.get(self._key(user, mark), 0.0) - self._now()
        return max(0.0, ahead - (FREE_ATTEMPTS - 1) * PAUSE_SECONDS)

    def failed(self, user: str, mark: str = "") -> None:
        """Count a wrong password."""
        key, now = self._key(user, mark), self._now()
        self._paid_until = {known: until for known, until in self._paid_until.items() if until > now}
        self._paid_until[key] = max(now, self._paid_until.get(key, now)) + PAUSE_SECONDS

    def _key(self, user: str, mark: str) -> tuple[str, str]:
        return (user, mark) if user in self._names else (f"{hash(user) % STAND_INS}", "")


class Logins:
    """The page's logins. Without any, all visitors are the same person, named "".

    The first login owns the machine: only it may pause the queue, restart workers and download models.

    Args:
        passwords: by user.
        key: signs the sessions; kept in the data folder, so that sessions survive a restart.
        ended: the sessions that were logged out.
    """

    def __init__(self, passwords: Mapping[str, str], key: bytes, ended: EndedSessions | None = None) -> None:
        self._passwords = dict(passwords)
        self._key = key
        self.ended = ended or EndedSessions()
        self.brake = LoginThrottle(self.names)

    @property
    def required(self) -> bool:
        """Tell whether the page has logins."""
        return bool(self._passwords)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the users."""
        return tuple(self._passwords)

    def owns_machine(self, user: str) -> bool:
        """Tell whether a login owns the machine."""
        return not self._passwords or user == next(iter(self._passwords))

    def sees(self, user: str | None) -> Owner:
        """Return whose jobs a login sees: its own; the machine's owner also those made without a login."""
        if user is None or not self.required:
            return None
        return (user, "") if self.owns_machine(user) else user

    def check(self, user: str, password: str) -> bool:
        """Check a password. Takes equally long for an unknown login and a wrong password."""
        known = self._passwords.get(user)
        expected = known if known is not None else secrets.token_urlsafe(16)
        same = hmac.compare_digest(expected.encode(), password.encode())
        return same and known is not None

    def open_session(self, user: str, now: float | None = None) -> str:
        """Return a signed token for the cookie."""
        ends = int((time.time() if now is None else now) + SESSION_SECONDS)
        body = base64.urlsafe_b64encode(json.dumps([user, ends, secrets.token_hex(8)]).encode()).decode()
        return f"{body}.{self._sign(user, body)}"

    def mark(self, user: str) -> str:
        """Return a mark for the browser's cookie, which shows later that this login's password was right in it."""
        body = secrets.token_hex(8)
        return f"{body}.{self._sign(user, f'mark {body}')}"

    def known_mark(self, user: str, mark: str) -> str:
        """Return the mark if it is this login's, else ""."""
        body, _, signature = mark.partition(".")
        if user not in self._passwords:
            return ""
        same = hmac.compare_digest(self._sign(user, f"mark {body}").encode(), signature.encode())
        return body if same else ""

    def session_user(self, token: str, now: float | None = None) -> str | None:
        """Return the login of a token; None if it is forged, too old, logged out, or its password was changed."""
        body, _, signature = token.partition(".")
        try:
            user, ends, _ = json.loads(base64.urlsafe_b64decode(body.encode()))
        except (ValueError, TypeError, RecursionError):
            return None
        if not isinstance(user, str) or user not in self._passwords or not isinstance(ends, int):
            return None
        if not hmac.compare_digest(self._sign(user, body).encode(), signature.encode()):
            return None
        return user if ends > (time.time() if now is None else now) and token not in self.ended else None

    async def end_session(self, token: str) -> None:
        """End a session: its token becomes invalid, and its open streams end."""
        if self.session_user(token) is not None:
            self.ended.end(token)
            await asyncio.to_thread(self.ended.keep, token)

    def _sign(self, user: str, body: str) -> str:
        """Sign a token. The password is part of the key: changing it ends that login's sessions."""
        key = self._key + hashlib.sha256(self._passwords[user].encode()).digest()
        return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def session_key(home: Path) -> bytes:
    """Read the key that signs the sessions, or make it: at least KEY_BYTES bytes.

    A key that is too short or unreadable is replaced, which ends all sessions. Two starts at the same moment get the
    same key.

    Raises:
        StoreError: there is no usable key, and none can be written.
    """
    path = home / "session.key"
    if key := _read_key(path):
        return key
    try:
        make_private(home)
        with FileLock(f"{path}.lock"):
            if key := _read_key(path):  # the other start was quicker
                return key
            if path.exists():
                log.warning("%s is damaged and is made anew: everybody has to log in again", path)
            key = secrets.token_bytes(KEY_BYTES)
            write_whole(path, key, private=True)
            return key
    except OSError as e:
        raise StoreError(
            msg(
                "the data folder {home} cannot be written: {error}; make it writable, or name another one with "
                "FANSLYMOTION_HOME",
                home=home,
                error=e.strerror or e,
            )
        ) from e


def _read_key(path: Path) -> bytes | None:
    try:
        key = read_patiently(path)
    except OSError:
        return None
    return key if len(key) >= KEY_BYTES else None
