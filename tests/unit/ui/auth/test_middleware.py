"""The guard: logins and the brake on guessing, paths, cookies, bodies."""

from collections.abc import Callable, Iterator

from fanslymotion.ui.auth.logins import FREE_ATTEMPTS
from fanslymotion.ui.auth.middleware import MOST_BODY_BYTES
from starlette.testclient import TestClient

from ..conftest import ANNA, BEN

Browser = Callable[..., TestClient]


def log_in(client: TestClient, user: str, password: str, **headers: str):
    return client.post("/login", data={"username": user, "password": password}, headers=headers)


# --- passwords -----------------------------------------------------------------------------------------------------


def test_a_stranger_is_slowed_down_and_others_are_not(browser: Browser) -> None:
    hers, stranger = browser(), browser()
    assert log_in(hers, *ANNA).status_code == 200
    answers = [log_in(stranger, "anna", f"guess-{number}") for number in range(20)]
    assert [answer.status_code for answer in answers] == [401] * FREE_ATTEMPTS + [429] * (20 - FREE_ATTEMPTS)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 10
    assert f"in {answers[-1].headers['retry-after']} s" in answers[-1].json()["error"]
    assert log_in(stranger, *BEN).status_code == 200, "from the same address, as through a tunnel"
    hers.post("/logout")
    assert hers.get("/studio/options").status_code == 401
    assert log_in(hers, *ANNA).status_code == 200, "her own browser is not held up"


def test_a_blank_that_a_phone_adds_to_the_name_does_no_harm(browser: Browser) -> None:
    client = browser()
    assert log_in(client, f"{ANNA[0]} ", ANNA[1]).status_code == 200
    assert client.get("/studio/options").json()["user"] == ANNA[0]
    assert log_in(client, ANNA[0], f"{ANNA[1]} ").status_code == 401


def test_basic_passwords_are_counted_along(browser: Browser) -> None:
    script = browser()
    codes = [script.get("/studio/options", auth=("anna", f"guess-{number}")).status_code for number in range(8)]
    assert codes == [401] * FREE_ATTEMPTS + [429] * (8 - FREE_ATTEMPTS)
    held = log_in(script, *ANNA)
    assert held.status_code == 429
    assert "retry-after" in held.headers
    assert script.get("/studio/options", auth=BEN).status_code == 200


def test_the_cookie_is_for_https_only_when_the_browser_came_so(browser: Browser) -> None:
    assert "Secure" not in log_in(browser(), *ANNA).headers["set-cookie"]
    assert "Secure" in log_in(browser(), *ANNA, **{"X-Forwarded-Proto": "https"}).headers["set-cookie"]


def test_other_programs_cookies_do_no_harm(studio, browser: Browser) -> None:
    session = studio.logins.open_session("anna")
    for odd in ('prefs={"a":1}', "a b=c", "=", "x", 'q="', "é=1"):
        cookie = f"{odd}; fanslymotion_session={session}".encode()
        assert browser().get("/studio/options", headers={"Cookie": cookie}).status_code == 200, odd


# --- paths ---------------------------------------------------------------------------------------------------------

GRADIOS = (
    "/gradio_api/proxy=http://x", "/gradio_api/file=/etc/passwd", "/gradio_api/vibe-code/", "/docs", "/token",
    "/configx", "/gradio_api/uploads", "/gradio_api/upload_progress", "/gradio_api/run/generate",
)  # fmt: skip


def test_only_the_login_itself_is_public(browser: Browser) -> None:
    for path in ("/login/x", "/login/", "/loginx", "/logout/x", "/favicon.ico/x", "/robots.txtx"):
        for client in (browser(), browser(ANNA)):
            assert client.post(path, data={"username": "x"}).status_code == 404, path


def test_gradios_other_routes_do_not_exist(browser: Browser) -> None:
    client = browser(ANNA)
    for path in GRADIOS:
        codes = {method: client.request(method, path).status_code for method in ("GET", "POST", "PUT")}
        assert codes == {"GET": 404, "POST": 404, "PUT": 404}, path


# --- bodies --------------------------------------------------------------------------------------------------------

PLACES = ("/login", "/studio/jobs", "/gradio_api/queue/join", "/gradio_api/call/job", "/gradio_api/cancel")


def pieces() -> Iterator[bytes]:
    """Sent in chunks, with no word about their length before."""
    for _ in range(100):
        yield b" " * 65536


def test_a_body_has_a_limit_whether_it_says_its_length_or_not(browser: Browser) -> None:
    client = browser(BEN)
    for place in PLACES:
        for content in (b" " * (MOST_BODY_BYTES + 1), pieces()):
            answer = client.post(place, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code in (400, 413), place
            assert "too large" in answer.json()["error"], place
        assert client.get("/studio/options").status_code == 200


def test_an_upload_through_gradio_has_a_limit_in_all(browser: Browser) -> None:
    files = [("files", (f"{number}.png", b"x" * (1 << 20))) for number in range(60)]
    assert browser(BEN).post("/gradio_api/upload", files=files).status_code == 413
