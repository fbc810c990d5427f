"""Read the weights of components, and move them to where they compute: the same for all families."""
