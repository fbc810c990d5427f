"""Choose a plan that fits this machine, fall back after memory ran out, and remember what worked."""
