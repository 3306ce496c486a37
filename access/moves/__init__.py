"""Moves clients: into the pool of a hot room and back, and away from a node that drains."""
