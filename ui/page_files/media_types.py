"""Define media types of files by their suffixes, independent of the machine.

Python asks the system: on Windows the registry, in which programs and fresh installations call scripts plain text.
Browsers run no script of that type.
"""

import mimetypes

MEDIA_TYPES = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
"""Types of what the page and Gradio's part of it send, by ending."""


def register_media_types() -> None:
    """Register the types with `mimetypes`. Gradio's import resets them, so call this after it."""
    for suffix, media_type in MEDIA_TYPES.items():
        mimetypes.add_type(media_type, suffix)
