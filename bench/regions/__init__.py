"""Several regions at once, each a cluster of its own, on this machine: for tests and for trying."""
