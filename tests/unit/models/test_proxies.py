"""Proxy variables as desktops and other programs leave them."""

import os
import sys

import httpx
import pytest
from fanslymotion.models.download.proxies import IGNORED, LOCAL, SETTING, repair_proxies

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


@pytest.mark.parametrize(
    ("found", "made", "ignored"),
    [
        ({}, {}, ()),
        (
            {"http": "http://127.0.0.1:10809", "https": "http://127.0.0.1:10809", "ftp": "http://127.0.0.1:10809"},
            {},
            (),
        ),
        (
            {
                "socks": "socks://127.0.0.1:10808",
                "http": "socks4://127.0.0.1:10808",
                "https": "socks4://127.0.0.1:10808",
            },
            {"http_proxy": "socks5://127.0.0.1:10808", "https_proxy": "socks5://127.0.0.1:10808", EXCEPT: LOCAL},
            (),
        ),
        ({"http": "http://a:1", "https": "nonsense://b"}, {"http_proxy": "http://a:1", EXCEPT: LOCAL}, (SETTING,)),
        ({"https": "nonsense://b"}, {EXCEPT: "*"}, (SETTING,)),
    ],
)
def test_a_setting_of_windows_that_httpx_refuses(found: dict[str, str], made: dict[str, str], ignored: tuple) -> None:
    """As `urllib.request.getproxies_registry` tells it: `socks=127.0.0.1:10808` becomes the third one."""
    environ: dict[str, str] = {}
    assert repair_proxies(environ, lambda: found) == ignored
    environ.pop(IGNORED, None)
    assert environ == made


def test_a_setting_of_windows_does_not_count_beside_a_variable() -> None:
    environ = {"HTTPS_PROXY": "http://proxy:8080"}
    repair_proxies(environ, lambda: {"https": "socks4://127.0.0.1:10808"})
    assert environ == {"HTTPS_PROXY": "http://proxy:8080"}
    environ = {"HTTPS_PROXY": "ftp://proxy:1"}
    repair_proxies(environ, lambda: {"https": "socks4://127.0.0.1:10808"})
    assert environ["https_proxy"] == "socks5://127.0.0.1:10808"


@pytest.mark.skipif(sys.platform != "win32", reason="writes into Windows' registry")
def test_socks_in_windows_settings_ends_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    import winreg

    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", EXCEPT, IGNORED):
        monkeypatch.setenv(name, "")  # taken out afterwards
        os.environ.pop(name)
    place = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
    with winreg.CreateKey(winreg.HKEY_CURRENT_USER, place) as key:
        before = {}
        for name in ("ProxyEnable", "ProxyServer"):
            try:
                before[name] = winreg.QueryValueEx(key, name)
            except OSError:
                before[name] = None
        winreg.SetValueEx(key, "ProxyEnable", 0, winreg.REG_DWORD, 1)
        winreg.SetValueEx(key, "ProxyServer", 0, winreg.REG_SZ, "socks=127.0.0.1:10808")
        try:
            with pytest.raises(ValueError, match="socks4"):
                httpx.Client()
            repair_proxies()
            httpx.Client().close()
        finally:
            for name, value in before.items():
                if value is None:
                    winreg.DeleteValue(key, name)
                else:
                    winreg.SetValueEx(key, name, 0, value[1], value[0])


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
