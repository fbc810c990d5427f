"""Give the frames the photo's own detail."""
