"""What a worker is asked to do, and its exit codes; all other codes are crashes."""

RESTART = "restart"
"""Hand the job back and start anew."""
RELEASE = "release"
"""Let the warm model go, unless a job uses it: Windows removes no file that a process has mapped."""

STOPPED = 0
RESTART_CODE = 75
"""It was asked to restart and has handed its job back."""
CRASH_CODE = 70
"""It could not import what it needs, or its database was damaged; it has said so."""
