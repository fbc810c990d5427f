"""`python -m fanslymotion` is the `fanslymotion` command."""

from fanslymotion.garbage import no_collections

with no_collections(freeze=True):
    from fanslymotion.cli.main import main

if __name__ == "__main__":
    main()
