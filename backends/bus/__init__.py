"""The bus: durable topics behind one interface; see `interface` and `connect`."""
