"""Limit the server's connections and log lines, and start the page on trial for the doctor."""
