"""Set fanslymotion up and start it. Standard library only: it runs before anything is installed.

launch.sh and launch.ps1 find a Python and hand over to this file:

    launch.py                        set up when needed, start the page and a worker, open the browser
    launch.py WORDS                  set up when needed, then `fanslymotion WORDS`
    launch.py setup [--dev] [--repair]
                                     only set up: looks at every package and mends what is missing; --dev adds what
                                     the tests need, --repair makes .venv anew
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 the rest of the launcher is not read then: old Pythons cannot
    found = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"fanslymotion: this is Python {found}; fanslymotion needs 3.11, 3.12 or 3.13")

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # PYTHONSAFEPATH leaves it out
    from launcher.main import main

    sys.exit(main(sys.argv[1:]))
