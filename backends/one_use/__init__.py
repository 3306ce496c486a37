"""Tokens that count once."""
