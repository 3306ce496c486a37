"""Tokens that were revoked, as every node of a region learns of them."""
