"""Instant messages at the edge: windows, repair, hot groups, requests, cursors and presence."""
