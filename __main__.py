"""`python -m fanslymotion` is the `fanslymotion` command."""

from fanslymotion.garbage import no_collections
from fanslymotion.interrupt import ended_by_interrupt

with ended_by_interrupt(), no_collections(freeze=True):
    from fanslymotion.cli.main import main

if __name__ == "__main__":
    main()
