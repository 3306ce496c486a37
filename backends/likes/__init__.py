"""Like totals, census and changed rooms: in Redis, and in memory for tests."""
