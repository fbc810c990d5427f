"""Limit the server's connections and log lines, and choose its address."""
