"""The page's scripts and styles: every folder of ui/static is served, and nothing outside of it."""

import posixpath
import re
from collections.abc import Callable

import pytest
from fanslymotion.settings import ROOT
from starlette.testclient import TestClient

from .conftest import ANNA

Browser = Callable[..., TestClient]
STATIC = ROOT / "ui" / "static"
LINKED = re.compile(r'(?:src|href)="(studio/static/[^"]+)"')
ABSOLUTE = re.compile(r"""["'`(]/(?:studio|login|logout|\?)|(?:href|src|action)="/""")
IMPORTED = re.compile(r'^import .*"(\.[^"]+)";\r?$', re.MULTILINE)
TYPES = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@pytest.mark.parametrize("page", ["/", "/login"])
def test_every_file_that_a_page_loads_is_there(page: str, browser: Browser) -> None:
    """Followed as a browser does: what the markup links, and what each script imports."""
    client = browser(ANNA)
    asked = set(LINKED.findall(client.get(page).text.replace("\\/", "/").replace('\\"', '"')))
    assert any(url.endswith(".css") for url in asked)
    loaded: set[str] = set()
    while asked:
        loaded.add(url := asked.pop())
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert TYPES[posixpath.splitext(url)[1]] in answer.headers["content-type"]
        imported = IMPORTED.findall(answer.text) if url.endswith(".js") else []
        asked |= {posixpath.normpath(posixpath.join(posixpath.dirname(url), path)) for path in imported} - loaded
    assert len({posixpath.dirname(url) for url in loaded}) > 2, "files of several folders"


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


@pytest.mark.parametrize(
    "path",
    ["lib", "lib/", "lib/nothing.js", "lib%2F..%2F..%2Fserve.py", "lib\\dom.js", "..%2fserve.py", "//etc/passwd"],
)
def test_other_paths_are_not_found(path: str, browser: Browser) -> None:
    assert browser(ANNA).get(f"/studio/static/{path}").status_code == 404
