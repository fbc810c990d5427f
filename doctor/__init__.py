"""What is wrong with this machine, a worker or a job, in plain words, with the fix. No torch."""
