"""The browser page, from any folder: `python app.py [--share --host … --port … --auth user:password]`."""

from fanslymotion.garbage import no_collections
from fanslymotion.interrupt import ended_by_interrupt

with ended_by_interrupt(), no_collections(freeze=True):
    from fanslymotion.cli.start import main

if __name__ == "__main__":
    main()
