"""Read any photo as upright sRGB pixels."""
