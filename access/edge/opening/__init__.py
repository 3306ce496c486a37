"""From the kernel's queue to a client: who is let in, and how the handshake goes."""
