"""Proxy variables as desktops and other programs leave them."""

import os

import httpx
import pytest
from fanslymotion.models.download.proxies import IGNORED, repair_proxies

PROXY, EXCEPT = "ALL_PROXY", "no_proxy"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
        ("socks://127.0.0.1:1080/", "socks5://127.0.0.1:1080/"),  # GNOME
        ("SOCKS://user:pass@proxy:1080", "socks5://user:pass@proxy:1080"),
        ("http://proxy:8080", "http://proxy:8080"),
        ("proxy:8080", "proxy:8080"),
        ("ftp://proxy:1", None),
        ("http://[::1", None),
        ("http://proxy:port", None),
        ("", ""),
    ],
)
def test_a_proxy(value: str, left: str | None) -> None:
    environ = {PROXY: value}
    assert repair_proxies(environ) == (() if left is not None else (PROXY,))
    assert environ.get(PROXY) == left
    assert environ.get(IGNORED, "") == ("" if left is not None else PROXY)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("localhost,127.0.0.0/8,::1", "localhost,127.0.0.0/8,::1"),
        ("[::1], .local ,*.lan", "::1,.local,*.lan"),
        ("a.b,fe80::/10,http://[::1", "a.b"),
        ("*", "*"),
    ],
)
def test_exceptions_that_cannot_be_used_go_and_the_others_stay(value: str, left: str) -> None:
    environ = {EXCEPT: value}
    repair_proxies(environ)
    assert environ[EXCEPT] == left


def test_a_child_process_knows_what_its_parent_took_out() -> None:
    environ = {"HTTPS_PROXY": "ftp://proxy:1"}
    repair_proxies(environ)
    environ["ALL_PROXY"] = "ftp://proxy:2"
    assert repair_proxies(environ) == ("ALL_PROXY", "HTTPS_PROXY")


@pytest.mark.parametrize("value", ["socks://h:1", "ftp://h:1", "http://[::1", "h:x", "://", "socks5://", "DIRECT"])
@pytest.mark.parametrize("hosts", ["[::1]", "fe80::/10,x", "http://[", "a b,<local>", ",,"])
def test_httpx_takes_what_is_left(monkeypatch: pytest.MonkeyPatch, value: str, hosts: str) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(IGNORED, "")  # put back afterwards
    for name, text in (("HTTPS_PROXY", value), ("all_proxy", value), ("NO_PROXY", hosts)):
        monkeypatch.setenv(name, text)
    repair_proxies()
    httpx.Client().close()
