"""Put the page's own markup, styles and scripts into the document that Gradio sends, before Gradio's.

Gradio's frontend is 290 kB of scripts which nothing on the page waits for: it is named in the document, and started by
`page/gradio.js` once the page can be used. Its own `head` and `css_paths` come with its scripts, too late for the first
paint: what they brought was drawn without styles first.
"""

import json
import re
from functools import cache
from html import escape
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..error_response import wanted
from ..page_files.one_script import ONE_SCRIPT
from ..page_files.static_files import LOCALES, edition, known_files, read_static

STYLES = ("base", "create", "models", "job", "save", "lists", "compare", "shell")
VIEWS = ("create", "queue", "gallery", "system")
LATER = re.compile(
    r'<script type="module" crossorigin src="(?P<script>[^"]+)"></script>\s*'
    r'<link rel="stylesheet" crossorigin href="(?P<style>[^"]+)">'
)
"""Where Gradio's document loads its frontend. Where another version writes it otherwise, it is loaded at once."""


class OwnDocument:
    """ASGI middleware around Gradio's app: its document of `/` gets the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and change the answer if it is the page."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        body, start = bytearray(), None

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body") or start is None:
                return
            whole = bytes(body)
            if "text/html" in Headers(raw=start["headers"]).get("content-type", ""):
                query = parse_qs(scope["query_string"].decode("latin-1"))
                whole = dress(whole.decode("utf-8"), wanted(scope), query.get("view", [""])[0], "job" in query).encode()
                headers = MutableHeaders(scope=start)
                headers["Content-Length"] = str(len(whole))
                headers.add_vary_header("Accept-Language")
            await send(start)
            await send({"type": "http.response.body", "body": whole})

        await self._app({**scope, "headers": plain}, receive, sending)


def dress(document: str, language: str, view: str, job: bool) -> str:
    """Return Gradio's document with the page in it.

    Args:
        document: As Gradio sends it.
        language: That the browser asks for: the words until the page knows the user's choice.
        view: That the address names; an unknown one is the first.
        job: Whether the address names a job.
    """
    now = edition()
    later = LATER.search(document)
    named = ""
    if later:
        document = document.replace(later[0], "", 1)
        named = f' data-script="{escape(later["script"])}" data-style="{escape(later["style"])}"'
    document = document.replace('control_page_title="true"', 'control_page_title="false"', 1)  # the page sets its own
    document = re.sub(r'<html\s+lang="\w+"', f'<html lang="{language}"', document, count=1)
    document = document.replace("<head>", "<head>\n" + _head(language, now), 1)
    document = document.replace(
        "<gradio-app", _body(language, view if view in VIEWS else VIEWS[0], job, now) + "<gradio-app" + named, 1
    )
    return document


@cache
def _head(language: str, now: str) -> str:
    base = f"studio/static/@{now}/"
    styles = "\n".join(read_static(f"styles/{name}.css") for name in STYLES)
    return "\n".join(
        [
            '<meta name="color-scheme" content="light dark">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<script>{read_static('theme.js')}</script>",
            f"<style>{styles}</style>",
            f'<link rel="preload" as="fetch" crossorigin href="studio/locales/{language}.json?v={now}">',
            f'<script type="module" src="{base}{ONE_SCRIPT}"></script>',
            f'<link rel="icon" type="image/svg+xml" href="{base}icon.svg">',
            "",
        ]
    )


@cache
def _body(language: str, view: str, job: bool, now: str) -> str:
    words = json.loads(known_files(LOCALES)[f"{language}.json"].read_text(encoding="utf-8"))
    markup = read_static("page.html")
    markup = re.sub(r'(data-t="([\w.]+)"[^>]*>)[^<]*', lambda found: found[1] + escape(words[found[2]]), markup)
    markup = re.sub(
        r'(data-t-label="([\w.]+)" aria-label=")[^"]*', lambda found: found[1] + escape(words[found[2]]), markup
    )
    markup = re.sub(
        rf'(id="view-{view}" class="[^"]*") hidden', rf"\1{' data-job' if job and view == 'create' else ''}", markup
    )
    return markup
