"""Offline push: whoever is away, or does not acknowledge in time, is notified (docs/push.md)."""
