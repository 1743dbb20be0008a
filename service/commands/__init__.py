"""The commands of `python -m service`, one a module: `add` tells the parser of it."""
