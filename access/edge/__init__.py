"""The WebSocket edge: it holds the connections of clients and writes to many of them at once.

`interface` is what the session layer sees of it; `server.Server` is the edge on real sockets and
`memory.MemoryEdge` its twin for tests. `opening` lets clients in, `reading` takes what they say,
`writing` writes a frame to many, `tls` stands in for the plain socket.
"""
