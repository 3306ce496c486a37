"""Instant messages: streams and their order, acknowledgements, what waits to be sent."""
