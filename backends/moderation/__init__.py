"""How rooms are moderated, beside their logs: in Redis, and in memory for tests."""
