"""Photos in, frames between, mp4 files out."""
