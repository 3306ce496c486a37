"""Groups: making them, coming and going, roles, muting, the end."""
