"""Prompts: tokenizers and text encoders, read and run."""
