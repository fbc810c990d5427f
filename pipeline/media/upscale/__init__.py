"""Learned upscalers: their files, the two networks, tiles, and a result without flicker."""
