"""The page's scripts and styles: every folder of ui/static is served, and nothing outside of it."""

import mimetypes
import posixpath
import re
from collections.abc import Callable

import pytest
from fanslymotion.queue.types import Job
from fanslymotion.settings import ROOT
from starlette.testclient import TestClient

from .conftest import ANNA, BEN

Browser = Callable[..., TestClient]
STATIC = ROOT / "ui" / "static"
LINKED = re.compile(r'(?:src|href)="(studio/static/[^"]+)"')
ABSOLUTE = re.compile(r"""["'`(]/(?:studio|login|logout|\?)|(?:href|src|action)="/""")
FOR_GOOD = "private, max-age=31536000, immutable"
IMPORTED = re.compile(r'^import .*"(\.[^"]+)";\r?$', re.MULTILINE)
TYPES = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@pytest.mark.parametrize(("page", "joined"), [("/", True), ("/login", False), ("/studio/static/main.js", False)])
def test_every_file_that_a_page_loads_is_there(page: str, joined: bool, browser: Browser) -> None:
    """Followed as a browser does: what the markup links, and what each script imports."""
    client = browser(ANNA)
    asked = set(LINKED.findall(client.get(page).text.replace("\\/", "/").replace('\\"', '"')))
    asked = asked or {page.removeprefix("/")}
    assert any(url.endswith(".js") for url in asked)
    loaded: set[str] = set()
    while asked:
        loaded.add(url := asked.pop())
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert TYPES[posixpath.splitext(url)[1]] in answer.headers["content-type"]
        imported = IMPORTED.findall(answer.text) if url.endswith(".js") else []
        asked |= {posixpath.normpath(posixpath.join(posixpath.dirname(url), path)) for path in imported} - loaded
    assert (len({posixpath.dirname(url) for url in loaded}) > 2) is not joined, "files of several folders"


@pytest.fixture
def machine_with_other_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows' registry names a script plain text on many PCs: python/cpython#88141. Read by Gradio's import."""
    for suffix in (".js", ".css", ".svg", ".mp4", ".json", ".png"):
        monkeypatch.setitem(mimetypes.types_map, suffix, "text/plain")
    assert mimetypes.guess_type("a.js") == ("text/plain", None)


def test_the_machines_own_types_of_files_do_not_count(
    machine_with_other_types: None, browser: Browser, done: Callable[..., Job]
) -> None:
    """A browser runs no script, and takes no style, that is called plain text: the login would do nothing."""
    client, job = browser(ANNA), done(owner=ANNA[0]).id
    kinds = {
        "/studio/static/login.js": "text/javascript",
        "/studio/static/styles/base.css": "text/css",
        "/studio/static/icon.svg": "image/svg+xml",
        "/studio/locales/en.json": "application/json",
        f"/studio/jobs/{job}/video": "video/mp4",
        f"/studio/jobs/{job}/photo": "image/png",
    }
    answers = {url: client.get(url) for url in kinds}
    assert {url: answer.headers["content-type"].partition(";")[0] for url, answer in answers.items()} == kinds
    assert {answer.status_code for answer in answers.values()} == {200}


def test_the_pages_addresses_are_relative() -> None:
    """A reverse proxy may show the page under a path of its own."""
    files = [path for path in STATIC.rglob("*") if path.suffix in (".html", ".js", ".css")]
    assert len(files) > 40
    assert [(path.name, found) for path in files for found in ABSOLUTE.findall(path.read_text(encoding="utf-8"))] == []
    assert ABSOLUTE.search('fetch("/studio/jobs")')


def test_a_kept_file_of_a_folder_is_not_sent_again(browser: Browser) -> None:
    client = browser(ANNA)
    first = client.get("/studio/static/lib/dom.js")
    again = client.get("/studio/static/lib/dom.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_keeps_what_is_named_by_its_content_and_nothing_else(browser: Browser) -> None:
    client = browser(ANNA)
    page = client.get("/")
    assert page.headers["cache-control"] == "no-store"
    gradios = re.search(r"/assets/[\w-]+-[\w-]{8}\.js", page.text)
    ours = re.search(r"studio/static/@\w+/page\.js", page.text)
    words = re.search(r"studio/locales/en\.json\?v=\w+", page.text)
    assert gradios
    assert ours
    assert words
    for found in (gradios[0], ours[0], ours[0].replace("page.js", "main.js"), words[0]):
        assert client.get(found).headers["cache-control"] == FOR_GOOD, found
    others = [f"/studio/static/{edition}{name}.js" for edition in ("", "@0123456789ab/") for name in ("page", "main")]
    for path in (*others, "/studio/locales/en.json?v=0"):
        assert client.get(path).headers["cache-control"] == "private, no-cache", "of another edition, or of any"
    assert client.get("/assets/none-12345678.js").headers["cache-control"] == "no-store"
    assert client.get("/theme.css").headers["cache-control"] == "no-store"


def test_text_is_sent_compressed_and_videos_are_not(browser: Browser, done: Callable[..., Job]) -> None:
    client, job = browser(BEN), done("ben")
    page = client.get("/", headers={"Accept-Encoding": "gzip"})
    for path in ("/", "/studio/static/main.js", "/studio/locales/ru.json", "/studio/options", "/login"):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip", path
        assert "Accept-Encoding" in answer.headers["vary"]
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content, path
    assert len(page.content) > 20_000
    video = client.get(f"/studio/jobs/{job.id}/video", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in video.headers
    part = client.get("/studio/static/main.js", headers={"Accept-Encoding": "gzip", "Range": "bytes=0-9"})
    assert (part.status_code, len(part.content)) == (206, 10)


def test_the_pages_one_script_holds_all_modules(browser: Browser) -> None:
    client = browser(ANNA)
    scripts = re.findall(r'<script type="module" src="(studio/[^"]+)"', client.get("/").text)
    assert [url.rpartition("/")[2] for url in scripts] == ["page.js"]
    whole = client.get(scripts[0])
    assert whole.headers["content-type"].startswith("text/javascript")
    held = re.findall(r"^const \$\w+ = \(\(\) => \{ // (\S+)$", whole.text, re.MULTILINE)
    alone = {"login.js", "theme.js"}
    assert sorted(held) == sorted({path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")} - alone)
    assert held[-1] == "main.js"
    again = client.get(
        "/studio/static/page.js", headers={"If-None-Match": client.get("/studio/static/page.js").headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_the_document_is_in_the_language_that_the_browser_asks_for(browser: Browser) -> None:
    page = browser(ANNA).get("/?view=queue&job=0123456789ab", headers={"Accept-Language": "ru"}).text
    assert '<html lang="ru"' in page
    assert ">Галерея<" in page
    assert 'id="view-queue" class="view filling">' in page
    assert 'id="view-create" class="view create" hidden>' in page
    english = browser(ANNA).get("/?job=0123456789ab&view=none", headers={"Accept-Language": "de"}).text
    assert ">Gallery<" in english
    assert 'id="view-create" class="view create" data-job>' in english


@pytest.mark.parametrize(
    "path",
    ["lib", "lib/", "lib/nothing.js", "lib%2F..%2F..%2Fserve.py", "lib\\dom.js", "..%2fserve.py", "//etc/passwd"],
)
def test_other_paths_are_not_found(path: str, browser: Browser) -> None:
    assert browser(ANNA).get(f"/studio/static/{path}").status_code == 404
