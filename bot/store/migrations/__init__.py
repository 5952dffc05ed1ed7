"""Alembic migrations, run at start; shipped inside the package."""
