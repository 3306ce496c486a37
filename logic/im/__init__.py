"""Instant messaging: what clients ask, answered after the commit."""
