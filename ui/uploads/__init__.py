"""Photos and files that a browser or a script sends."""
