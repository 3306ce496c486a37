"""Rate limits that hold across all instances of a service."""
