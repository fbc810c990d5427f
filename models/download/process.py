"""Run one download as a process: `python -m fanslymotion.models.download.process NAME`.

Its output goes to `.downloads/NAME.log`.
"""

import logging
import signal
import sys

from ...errors import Cancelled, FanslymotionError
from ...messages import codes
from ...settings import Settings
from .background import Downloads


def main(arguments: list[str]) -> int:
    """Download the model named by the only argument. Return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(message)s", stream=sys.stdout)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold signed addresses
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    [name] = arguments
    try:
        Downloads(Settings.from_env()).carry_out(name)
    except (Cancelled, KeyboardInterrupt):
        logging.info("stopped; what is downloaded is kept")
        return 130
    except FanslymotionError as e:
        logging.error("%s: %s", e.code or codes.UNFORESEEN, e)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
