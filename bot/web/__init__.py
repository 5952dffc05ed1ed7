"""Pages for the operator's own machine."""
