"""Tests on real clusters. A package, so that a cluster ends with the last test that needs it."""
