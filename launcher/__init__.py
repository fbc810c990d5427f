"""The start of the program: make `.venv`, keep it whole, hand over to it.

Standard library only: it runs before anything is installed. `launch.py` is its entry.
"""
