"""Presence: who is online, on which devices, and when each was last heard."""
