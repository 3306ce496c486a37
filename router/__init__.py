"""Consumes the bus and decides where each message goes; its gateway says where to connect."""
