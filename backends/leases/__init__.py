"""Leases of nodes and duties: in Redis, and in memory for tests."""
