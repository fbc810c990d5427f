"""Describe this machine: GPUs, CPU, torch build, memory."""
