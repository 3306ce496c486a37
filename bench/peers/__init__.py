"""`just bench-peers`: our edge beside other servers, by turns on the same machine.

Measures this access node (everything on, as in `relaymesh bench edge`), a C server that calls
`send()` in a loop, and each of `nats-server`, `mosquitto` and `centrifugo` that is on PATH: the
server on one core, the load client and the publisher on the other, 176 bytes a message, one room
(subject, topic, channel). NATS and mosquitto speak their own protocols over plain TCP. Prints a
table of medians of three turns; with `--json` a list of rows with

- `name`: the server;
- `busy_1000`, `busy_5000`: `{"p50_ms", "p99_ms", "cpu_us_per_delivery", "lost"}` at 100 messages a
  second to 1000 connections and 20 to 5000; `lost`: what had not come 20 s after the last
  was sent;
- `saturation`: `{"deliveries_per_s", "p99_ms"}` with 1000 connections: the highest rate at which
  99 % came within 150 ms and nothing was lost;
- `idle_kb_per_connection`, `connects_per_s`: with 1000 connections that are in the room;
- `load_cpu_share`: the load client's own share of a core at saturation.

`--turns 1` takes about two minutes for four servers, the default of three about six.
"""
