"""Downloads of models: whole, checked, and gone on with after a break."""
