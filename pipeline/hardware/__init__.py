"""This machine: graphics cards, processor, torch build, memory."""
