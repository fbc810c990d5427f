"""The window loop and the sampler: the same for all model families."""
