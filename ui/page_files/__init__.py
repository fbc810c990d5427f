"""Find, name and join the files that the page is made of."""
