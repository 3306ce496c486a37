"""Roles of a room's people, from the lowest to the highest."""

from collections.abc import Mapping

VIEWER, MODERATOR, HOST, SERVER = "viewer", "moderator", "host", "server"
RANKS: Mapping[str, int] = {VIEWER: 0, MODERATOR: 1, HOST: 2, SERVER: 3}
"""How high a role stands: nobody moderates who stands as high or higher."""


def rank(role: str) -> int:
    """Return how high `role` stands; what is no role stands as low as a viewer."""
    return RANKS.get(role, 0)


def higher(one: str, other: str) -> str:
    """Return the higher of two roles, `viewer` at least."""
    return max((one, other, VIEWER), key=rank)
