"""Diagnose this machine, its workers and failed jobs, with a fix for each fault. Without torch."""
