"""The rows of bench/gpu.py: each module measures one part, in a process of its own."""
