"""Define units and sizes of memory that several parts of the program use."""

GIB = 2**30

CONTEXT = GIB // 2
"""CUDA's own context in each process, and the libraries' work space, bytes of VRAM."""
PROCESS = 9 * GIB // 10
"""RAM of the worker with torch and diffusers imported, without a model, bytes."""
