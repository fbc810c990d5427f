"""The page behind a real nginx: as it is set up without a thought, under a path, and with its limit of 1 MB."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fanslymotion.tests.browser.puppet import SAMPLE
from fanslymotion.tests.browser.studio_page import choose_photo
from fanslymotion.tests.nginx import PROGRAM, nginx
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.skipif(PROGRAM is None, reason="there is no nginx on this machine")]

LOGIN = ("anna", "secret-1")

WAYS = {
    "as it is": ("/", "location / {{ proxy_pass http://127.0.0.1:{port}; }}"),
    "without the port": (
        "/",
        "location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $host; }}",
    ),
    "under a path that it takes off": ("/motion/", "location /motion/ {{ proxy_pass http://127.0.0.1:{port}/; }}"),
    "under a path that it leaves": ("/motion/", "location /motion/ {{ proxy_pass http://127.0.0.1:{port}; }}"),
}
"""How people let nginx show a page: where it then is, and the lines for it."""


@pytest.fixture(scope="module")
def studio(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio("--auth", ":".join(LOGIN), "--root-path", "/motion", "--no-worker")


def is_elsewhere(url: str, address: str) -> bool:
    return not url.startswith((f"{address}/", "blob:", "data:"))


def log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_url("**/login**")
    page.get_by_label("Login").fill(LOGIN[0])
    page.get_by_label("Password").fill(LOGIN[1])
    page.keyboard.press("Enter")
    expect(page.locator("#generate")).to_be_visible()


@pytest.mark.parametrize(
    "way", ["as it is", "under a path that it leaves", *soak("without the port", "under a path that it takes off")]
)
def test_everything_works_behind_nginx(way: str, studio: Studio, page: Page, tmp_path: Path) -> None:
    path, lines = WAYS[way]
    wrong: list[str] = []
    page.on("response", lambda answer: answer.status >= 400 and wrong.append(f"{answer.status} {answer.url}"))
    with nginx(tmp_path / "nginx", lines.format(port=studio.port)) as address:
        page.on("request", lambda sent: is_elsewhere(sent.url, address) and wrong.append(sent.url))
        log_in(page, f"{address}{path}")
        assert page.url == f"{address}{path}"
        choose_photo(page, SAMPLE)
        expect(page.locator("#generate")).to_be_enabled()
        page.click("#generate")
        page.wait_for_url(re.compile(re.escape(f"{address}{path}?job=")))
        picture = page.locator("#job .frame .photo")
        expect(picture).to_be_visible()
        assert picture.evaluate("async image => (await image.decode(), image.naturalWidth)") > 0
        job = page.url.split("job=")[1]
        page.locator("nav a", has_text="Queue").click()
        expect(page.locator("#view-queue .job-row")).not_to_have_count(0)
        page.reload()
        expect(page.locator("#queue-count")).to_have_text("1")
        # What happens elsewhere comes by the stream, which nginx must not hold back.
        own = {"Origin": studio.url}
        assert httpx.post(f"{studio.url}/studio/jobs/{job}/cancel", auth=LOGIN, headers=own).status_code == 200
        expect(page.locator("#queue-count")).to_be_hidden()
        page.click("#logout button")
        page.wait_for_url(f"{address}{path}login")
    assert wrong == []


def test_a_photo_above_nginx_limit_is_told_whose_limit_it_is(studio: Studio, page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "large.png"
    Image.effect_noise((1500, 1000), 100).save(photo)
    assert photo.stat().st_size > 1 << 20
    with nginx(tmp_path / "nginx", WAYS["as it is"][1].format(port=studio.port)) as address:
        log_in(page, address)
        page.set_input_files("#photo-file", photo)
        expect(page.get_by_text("client_max_body_size")).to_be_visible()


def test_a_script_works_under_a_path(studio: Studio, tmp_path: Path) -> None:
    headers = "proxy_set_header X-Forwarded-Host $http_host; client_max_body_size 64m;"
    lines = f"location /motion/ {{ proxy_pass http://127.0.0.1:{studio.port}/; {headers} }}"
    with nginx(tmp_path / "nginx", lines) as address:
        client = Client(f"{address}/motion/", auth=LOGIN, verbose=False)
        job = client.predict(photo=handle_file(SAMPLE), api_name="/generate")
        state = client.predict(job, api_name="/cancel")
        client.close()
        assert state["photo"] == f"/motion/studio/jobs/{job}/photo"
        assert httpx.get(f"{address}{state['photo']}", auth=LOGIN).headers["content-type"] == "image/png"


@pytest.mark.soak
def test_a_page_under_a_path_that_the_program_does_not_know_says_so(
    make_studio: Callable[..., Studio], page: Page, tmp_path: Path
) -> None:
    bare = make_studio("--no-worker")
    with nginx(tmp_path / "nginx", f"location /a/b/ {{ proxy_pass http://127.0.0.1:{bare.port}/; }}") as address:
        page.goto(f"{address}/a/b/")
        expect(page.locator("#trouble")).to_contain_text("--root-path /a/b.")
