"""Files of weights that take a transformer's place, GGUF or safetensors: their headers, and layers of such weights."""
