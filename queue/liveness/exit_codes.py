"""Define the commands to a worker and its exit codes. All other exit codes are crashes."""

RESTART = "restart"
"""Return the job to the queue and restart."""
RELEASE = "release"
"""Unload the cached model, unless a job uses it. Windows refuses to remove a file that a process has mapped."""

STOPPED = 0
RESTART_CODE = 75
"""The worker was asked to restart and has returned its job to the queue."""
CRASH_CODE = 70
"""The worker could not import its packages. It has recorded why."""
