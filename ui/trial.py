"""Build the page and exit, for the doctor: `python -m fanslymotion.ui.trial`.

Exit code 1 with the error on stderr.
"""

import sys

from ..errors import FanslymotionError
from ..settings import Settings
from .auth.logins import Logins
from .serve import build
from .server.address import LOCALHOST


def main() -> int:
    """Build the page. Return the exit code."""
    try:
        build(Settings.from_env(), Logins({}, b"trial"), LOCALHOST)
    except FanslymotionError as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
