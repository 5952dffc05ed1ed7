"""Slash commands, one file per group; each parses, calls one service method, formats."""
