"""Start the page by `python app.py`, with the options of `fanslymotion ui`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..errors import FanslymotionError
from ..models.download.proxies import repair_proxies
from ..settings import Settings
from ..ui.auth.given_logins import AUTH_HELP, FILE_HELP, given_logins
from ..ui.serve import serve
from ..ui.server.address import LOCALHOST, ROOT_PATH_HELP
from .exits import CANCELLED
from .text_streams import utf8_streams


def main(words: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl+C.

    Args:
        words: The options; None = those of this program.

    Raises:
        SystemExit: With 2 if the page cannot be served as requested; with 130 for Ctrl+C during the start.
    """
    asked = _parser().parse_args(words)
    try:
        utf8_streams()
        repair_proxies()
        serve(
            Settings.from_env(),
            host=asked.host,
            port=asked.port,
            share=asked.share,
            auth=given_logins(asked.auth, asked.auth_file),
            open_browser=asked.browser,
            with_worker=asked.worker,
            root_path=asked.root_path,
        )
    except FanslymotionError as e:
        print(f"fanslymotion: {e}", file=sys.stderr)
        raise SystemExit(2) from e
    except KeyboardInterrupt:  # before the page stands
        raise SystemExit(CANCELLED) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="app.py", description="The fanslymotion page in your browser.")
    parser.add_argument("--host", default=LOCALHOST, help="address to listen on (0.0.0.0: other computers, too)")
    parser.add_argument("--port", type=_port, help="port to listen on (default: the first free one from 7860)")
    parser.add_argument("--share", action="store_true", help="also make a public link, for up to a week")
    parser.add_argument("--auth", action="append", default=[], metavar="USER[:PASSWORD]", help=AUTH_HELP)
    parser.add_argument("--auth-file", type=Path, metavar="FILE", help=FILE_HELP)
    parser.add_argument("--root-path", default="", metavar="PATH", help=ROOT_PATH_HELP)
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open the browser")
    parser.add_argument("--no-worker", dest="worker", action="store_false", help="do not start a worker here")
    return parser


def _port(word: str) -> int:
    if not word.isdigit() or not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"{word!r} is no port; it must be a number from 1 to 65535")
    return int(word)
