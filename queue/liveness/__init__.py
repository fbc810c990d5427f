"""Detect dead workers, recover their jobs, and keep one worker running."""
