"""`python -m fanslymotion` is the `fanslymotion` command."""

from fanslymotion.cli.main import main

if __name__ == "__main__":
    main()
