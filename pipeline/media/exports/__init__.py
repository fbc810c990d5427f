"""Save a finished video in other forms: animations, still frames, copies for the web, loops, parts."""
