"""Refuse changing requests of other web pages, and say what a reverse proxy in front of the page has to send."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ...messages import Message, msg

LONGEST_SHOWN = 100
"""Characters of a host that a refusal repeats."""


def refuse_host(host: str) -> Message:
    """Return why a page without logins does not answer to this Host header."""
    if not host:
        return msg("This page answers only to its local address; open it as http://127.0.0.1.")
    return msg(
        "This page was asked for as {host}, but without logins it answers only to its local address: open it as "
        "http://127.0.0.1. To have it behind a reverse proxy, start it with logins (--auth-file).",
        host=host[:LONGEST_SHOWN],
    )


def refuse_origin(headers: Headers) -> Message | None:
    """Return why a changing request counts as another web page's, or None when it is this page's or a script's.

    A reverse proxy that puts its own Host in place of the browser's makes this page's requests look foreign. Browsers
    that came by HTTPS say themselves that they are not (Sec-Fetch-Site, which no page can set); of others only the two
    names tell them from an attack, so both are in the sentence.
    """
    if headers.get("sec-fetch-site") == "same-origin":
        return None
    origin = headers.get("origin")
    if origin is None:  # scripts send none
        return None if headers.get("sec-fetch-site", "none") == "none" else ANOTHER_PAGE
    try:
        netloc = urlsplit(origin).netloc.lower() if origin != "null" else ""
    except ValueError:
        return ANOTHER_PAGE
    host, forwarded = headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()
    # A cross-site page cannot add X-Forwarded-Host without a preflight, which this server does not answer.
    if netloc and netloc in (host, forwarded):
        return None
    if not netloc:
        return ANOTHER_PAGE
    if forwarded:
        return msg(
            "The browser shows a page of {origin}, but the header X-Forwarded-Host says {forwarded}; such requests "
            "are refused, because they may be another web page's. The reverse proxy in front of this page must send "
            "the browser's host with its port in that header (nginx: proxy_set_header X-Forwarded-Host $http_host).",
            origin=netloc[:LONGEST_SHOWN],
            forwarded=forwarded[:LONGEST_SHOWN],
        )
    return msg(
        "The browser shows a page of {origin}, but its request came for {host}; such requests are refused, because "
        "they may be another web page's. If a reverse proxy is in front of this page, it must send the browser's host "
        "in the header X-Forwarded-Host (nginx: proxy_set_header X-Forwarded-Host $http_host).",
        origin=netloc[:LONGEST_SHOWN],
        host=host[:LONGEST_SHOWN] or "-",
    )


ANOTHER_PAGE = msg("A request from another web page was refused.")
