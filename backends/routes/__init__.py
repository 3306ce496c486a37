"""The route map: in Redis, and in memory for tests."""
