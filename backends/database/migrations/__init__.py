"""The tables' versions (Alembic); `versions/` has a file for each step."""

LATEST = "0002"
"""The version that this code works with: kept here too, so that a node that finds it need not load
Alembic."""
