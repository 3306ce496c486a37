"""Push providers: what wakes a phone whose owner has no connection."""
