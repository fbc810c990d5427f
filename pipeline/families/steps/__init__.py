"""Say which steps of a window compute less than everything, and keep what they use again. Only caches import torch."""
