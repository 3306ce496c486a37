"""The outer parts (bus, links, Redis), each behind a small interface with a twin for tests."""
