"""The process that makes the videos."""
