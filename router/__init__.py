"""Consumes the bus and decides where each message goes; the gateway tells clients where to connect."""
