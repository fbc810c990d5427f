"""The browser page, from any folder: `python app.py [--share --host … --port … --auth user:password]`."""

from fanslymotion.garbage import no_collections

with no_collections(freeze=True):
    from fanslymotion.cli.start import main

if __name__ == "__main__":
    main()
