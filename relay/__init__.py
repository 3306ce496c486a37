"""The regional tier: subscription table, lanes, forwarding between nodes."""
