"""The command line, one file per group; `bot.__main__` puts them together."""
