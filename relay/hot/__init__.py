"""The hot way: from broadcast topics of the bus to the nodes that ask this relay for a pool."""
