"""Recover the readable rows of a damaged database."""
