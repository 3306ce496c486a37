"""The WebSocket edge: handshake and auth, sessions, rooms, fan-out, like merging, slow consumers."""
