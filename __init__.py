"""fanslymotion: one photo in, one short video out, on your own machine, and no job is ever lost."""

__version__ = "0.1.0"
