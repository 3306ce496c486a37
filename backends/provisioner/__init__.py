"""Where dedicated access nodes come from."""
