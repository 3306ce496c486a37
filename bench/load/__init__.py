"""What loads a server and what it is held against: the load client and the `send()` loop, in C."""
