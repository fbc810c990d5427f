"""Download models: resume after a break, and verify every file."""
