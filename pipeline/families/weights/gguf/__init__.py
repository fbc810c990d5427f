"""GGUF files of transformers: read their headers, and compute with their quantised weights."""
