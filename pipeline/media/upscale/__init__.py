"""Learned upscalers: what lies on the disk, the two networks, tiles, and a result that does not shimmer."""
