"""Chaos: parts of a cluster are killed with SIGKILL while clients work."""
