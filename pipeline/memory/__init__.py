"""Which plan fits this machine, what to try after memory ran out, what worked before."""
