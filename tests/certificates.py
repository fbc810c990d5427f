"""The world's certificates, read once by each process of the tests instead of by each request of httpx.

To read them takes 23 CPU milliseconds; the tests ask studios on this machine thousands of times, without encryption.
"""

import os
from functools import cache
from ssl import SSLContext
from typing import Any

from httpx._transports import default

NAMES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_read: Any = default.create_ssl_context


@cache
def _context(verify: Any, cert: Any, trust_env: bool, *_places: str | None) -> SSLContext:
    return _read(verify=verify, cert=cert, trust_env=trust_env)


def read_once() -> None:
    """Have httpx keep what it has read, for each place that the environment names."""

    def kept(verify: Any = True, cert: Any = None, trust_env: bool = True) -> SSLContext:
        return _context(verify, cert, trust_env, *(os.environ.get(name) for name in NAMES))

    default.create_ssl_context = kept
