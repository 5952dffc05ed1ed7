"""The Discord front; nothing outside this package imports discord."""
