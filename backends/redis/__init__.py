"""Redis (or Valkey): the client that all Redis backends share, and their scripts."""
