"""Rate limits: those that hold across all instances of a service, and those of one process."""
