"""The command line: `fanslymotion`, and the words after `python app.py`."""
