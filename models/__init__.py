"""Models on this machine: which are here, getting them (resumable, verified), checking and removing them. No torch."""
