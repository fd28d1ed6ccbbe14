"""What the program declares. Services do not import each other; ``__main__.py`` is where they meet."""
