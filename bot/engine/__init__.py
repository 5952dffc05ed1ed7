"""Where pieces are made: a small protocol and the worker processes behind it."""
