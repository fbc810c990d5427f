"""Videos on their way out: other forms of one video, and several in one file."""
