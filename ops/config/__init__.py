"""A node's config: TOML, then environment, then flags; checked before anything starts."""
