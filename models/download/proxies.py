"""Make the proxy variables of the environment usable, whatever other programs have set.

httpx, used by Gradio and the downloads, raises for an unknown kind of proxy, even in a program that connects to
nothing: GNOME sets `all_proxy=socks://…`, which only its own programs understand.
"""

import os
import re
import sys
import urllib.request
from collections.abc import Callable, Mapping, MutableMapping

IGNORED = "FANSLYMOTION_IGNORED_PROXIES"
"""Environment variable that names what was taken out, for child processes and the doctor."""
SETTING = "ProxyServer"
"""What Windows' registry calls its proxies."""
LOCAL = "localhost,127.0.0.1,::1"


def windows_proxies() -> Mapping[str, str]:
    """Return the proxies of Windows' settings by scheme, as Python converts them; none on other systems."""
    return urllib.request.getproxies_registry() if sys.platform == "win32" else {}


def repair_proxies(
    environ: MutableMapping[str, str] = os.environ, of_system: Callable[[], Mapping[str, str]] = windows_proxies
) -> tuple[str, ...]:
    """Rewrite `socks://` as `socks5://`, and remove the proxies that httpx refuses.

    Args:
        environ: The environment, changed in place.
        of_system: Returns the system's proxies by scheme, which count if the environment has none.

    Returns:
        The names of the removed variables, also of those removed by a parent process, sorted.
    """
    ignored = set(ignored_proxies(environ))
    for name in [name for name in environ if name.lower().endswith("_proxy") and environ[name].strip()]:
        value = environ[name].strip()
        if value.lower().startswith("socks://"):
            environ[name] = value = f"socks5://{value[len('socks://') :]}"
        if name.lower() == "no_proxy":
            usable = usable_exceptions(value)
            if len(usable) < len([host for host in value.split(",") if host.strip()]):
                ignored.add(name)
            environ[name] = ",".join(usable)
        elif not _proxy_works(value):
            del environ[name]
            ignored.add(name)
    if not any(name.lower().endswith("_proxy") and environ[name] for name in environ):
        ignored |= _repair_setting(environ, of_system())
    if ignored:
        environ[IGNORED] = ",".join(sorted(ignored))
    return tuple(sorted(ignored))


def _repair_setting(environ: MutableMapping[str, str], found: Mapping[str, str]) -> set[str]:
    """Set variables in place of a system proxy that httpx refuses. Return its name if it is left out.

    `socks=127.0.0.1:1080` in Windows' settings is read as `socks4://`, which httpx does not support. Programs that make
    such a setting support SOCKS 5.
    """
    wanted = {scheme: found.get(scheme, "") for scheme in ("http", "https")}
    if all(not proxy or _proxy_works(proxy) for proxy in wanted.values()):
        return set()
    usable = {scheme: re.sub("^socks4?://", "socks5://", proxy) for scheme, proxy in wanted.items()}
    usable = {scheme: proxy for scheme, proxy in usable.items() if proxy and _proxy_works(proxy)}
    for scheme, proxy in usable.items():
        environ[f"{scheme}_proxy"] = proxy
    environ["no_proxy"] = LOCAL if usable else "*"  # any variable keeps Python from reading the setting
    return set() if usable.keys() == {scheme for scheme in wanted if wanted[scheme]} else {SETTING}


def ignored_proxies(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the names of the variables that `repair_proxies` has removed, here or in a parent process."""
    return tuple(name for name in environ.get(IGNORED, "").split(",") if name)


def _proxy_works(value: str) -> bool:
    import httpx  # only where a proxy is set: it takes a fifth of a second

    try:
        httpx.Client(proxy=value if "://" in value else f"http://{value}", verify=False).close()
    except (ValueError, ImportError, httpx.InvalidURL):
        return False
    return True


def usable_exceptions(value: str) -> list[str]:
    """Return the hosts of a `no_proxy` that httpx can convert to patterns; IPv6 without brackets."""
    import httpx

    usable = []
    for host in (re.sub(r"^\[(.*)\]$", r"\1", part.strip()) for part in value.split(",")):
        if not host:
            continue
        bare_ipv6 = host.count(":") > 1 and "://" not in host
        try:
            httpx.URL(host if "://" in host else f"all://[{host}]" if bare_ipv6 else f"all://*{host}")
        except (ValueError, httpx.InvalidURL):
            continue
        usable.append(host)
    return usable
