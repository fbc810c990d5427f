"""Latents to frames: SVD's temporal decoder, the small one of `mini`, and the chunks that both work in."""
