"""CLIP's image encoder: its network, and the pixels it is given."""
