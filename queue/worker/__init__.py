"""Run jobs: the worker process."""
