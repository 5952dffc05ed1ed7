"""Durable units of work: what states they have, who holds them, how they are carried out."""
