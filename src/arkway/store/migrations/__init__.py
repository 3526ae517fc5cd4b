"""How did the store's schema come to be? Alembic's scripts, in the package so that they travel."""
