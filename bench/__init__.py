"""Measurements, each a command that prints its figure beside a baseline of the same run."""
