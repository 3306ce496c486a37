"""`relaymesh bench edge`: one access node, everything on, on a core of its own.

A real access node (token, rooms, sequences, limits, metrics) over a real relay and the embedded
store; a feeder stands in for logic and router and publishes 176 bytes of text at an even rate into
one room. Relay, store, feeder and the load client, which is C and looks at every delivery, have
the other core. Needs a C compiler. Prints

- `connections`; `write_path`: how the node wrote to its sockets;
- `saturation`: `{"deliveries_per_s", "p99_ms"}` of the highest rate at which 99 % came within
  150 ms and nothing was lost, thinned or out of order; `within_65_ms`: the same within 65 ms;
- `at_100k`: `{"p50_ms", "p99_ms", "cpu_us_per_delivery"}` at 100,000 deliveries a second; `quiet`:
  `{"p50_ms", "p99_ms"}` at 20 messages a second. Times run from publishing to the load client's
  read, CPU is the node's;
- `idle_kb_per_connection`: memory of the node (RSS) for a connection that is in the room;
- `inbound_us`: CPU of the node for a client's `like`, answer included; `chat_us`: for a `chat` that
  is handed to logic and answered; `refused`: how many of them the node refused as overloaded;
- `connects_per_s`: 5,000 more, 80 at a time: upgrade, hello with an HS256 token and join, by the
  clock;
  `connects_per_cpu_s`: the same by the node's CPU, which other loads on the machine do not touch;
- `c_loop_deliveries_per_s`: a C server that calls `send()` in a loop; `unjoined_deliveries_per_s`:
  our edge with one frame a write, back to back; `unjoined_share_of_c`: the second by the first, the
  median of three turns; `unjoined_loop_share_of_c`: the same of the `send` loop, which serves where
  io_uring can't be had;
- `load_cpu_share`: the load client's own share of a core at saturation, and `load_core_share`: of
  all that runs on its core, over the whole search; below 1, or the node was not the limit;
- `late_ms`: how late the feeder was at worst at 100,000 deliveries a second;
- `ok`: nothing lost or out of order in `at_100k` and `quiet`.

`--quick` takes less than 50 s; without it each figure is the median of three longer runs. `--serve`
starts the same parts, prints one JSON line (`url`, `room`, `token_secret`, `token`, `hello`,
`subprotocol`, `payload`, `rate`) and feeds the room until Ctrl-C, for a load client of your own;
what it says in the room comes back as pushes.
"""
