"""Model families: what is special to one kind of model. One folder each."""
