"""TLS at the node: `channel` seals what a connection carries, `certificate` reads the files and
`renewal` keeps up with them."""
