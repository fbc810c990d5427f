"""The recipe of the bundled demo model `mini`: a small Stable Video Diffusion trained on camera moves over photos."""
