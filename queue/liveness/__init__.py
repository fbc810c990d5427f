"""Which processes live: supervisor, recovery of lost jobs."""
