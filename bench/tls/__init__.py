"""`relaymesh bench tls`: what TLS costs at the node, and at a proxy in front of it.

The edge alone, without sessions and mesh, on a core of its own; the same number of clients by each
way, all in one run, by turns. Prints

- `connections`, `rounds_per_s`: each round goes to all clients of a way; `certificate`: the kind of
  its key; `openssl`: the version that node and clients use; `write_path`: of the node without TLS;
- `ways`: `plain`; `node`: TLS at the node; `proxy`: TLS at haproxy (on the same core, one thread)
  before a plain node, with the CPU and memory of both added; `null` where no `haproxy` is on PATH.
  For each
  - `cpu_us_per_delivery`: one message of 176 bytes in a write; `joined_cpu_us_per_delivery`: ten
    in a write, for each message; the medians of three turns;
  - `kb_per_connection`: user memory (RSS) for a connection that is idle;
  - `connects_per_cpu_s`: connects with full handshakes, for a second of CPU;
- `load_cpu_share`: of a core, of the load client at its busiest turn;
- `ok`: everything was written at once and came.
"""
