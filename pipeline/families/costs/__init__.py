"""What the cost models of all families share."""
