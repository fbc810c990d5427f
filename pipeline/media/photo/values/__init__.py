"""Compute with the values of pictures: with numpy, which few photos need."""
