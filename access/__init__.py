"""The WebSocket edge: handshake, auth, sessions, rooms, fan-out, likes, slow consumers."""
