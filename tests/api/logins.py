"""Who logs in to the studio of these tests. The machine is Anna's; Carl's password is guessed at."""

ANNA, BEN, CARL = ("anna", "secret-1"), ("ben", "secret-2"), ("carl", "secret-3")
