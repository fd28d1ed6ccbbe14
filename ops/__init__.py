"""Commands for people, one file a command; `make` lists them."""
