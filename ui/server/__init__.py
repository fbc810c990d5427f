"""The server's connections and log, and a trial start for the doctor."""
