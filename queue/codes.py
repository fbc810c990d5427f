"""The worker's exit codes; all others are crashes."""

STOPPED = 0
RESTART_CODE = 75
"""It was asked to restart and has handed its job back."""
CRASH_CODE = 70
"""It could not import what it needs, or its database was damaged; it has said so."""
