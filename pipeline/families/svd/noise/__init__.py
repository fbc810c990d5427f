"""The noise levels that Stable Video Diffusion samples at."""
