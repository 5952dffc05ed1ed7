"""One file per revision, forward only."""
