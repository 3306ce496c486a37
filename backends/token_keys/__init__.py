"""The keyring of a node, read from the files that its config names."""
