"""The room log: in Redis, and in memory for tests."""
