"""`relaymesh demo hot-room`: a room becomes hot under its viewers, moves, and comes back.

Starts a cluster of its own with few ordinary access nodes. Viewers come until the room is over the
threshold; host speech, gifts, chat and likes flow all the while. Dedicated nodes are started, the
viewers are moved to them, some seconds later most of them leave, and the rest is moved back. Every
viewer is a connection of its own that joins, resumes by its positions and follows `move`; some of
them, the senders among them, are the Python client. Prints

- `states`: the states that the room went through, `phases_s`: how long each lasted;
- `viewers`, `moved` (of them, to the dedicated nodes), `moved_back`, `on_dedicated`: how many were
  there while it was hot;
- `sent`, `acked`: urgent and normal messages; `likes`: likes that were sent, and the room's total;
- `lost`, `doubled`: of these messages, over all viewers that were there, from the number that each
  joined at; `told`: notices of skipped messages and resets of the urgent and normal streams;
- `reconnects_per_s`: most reconnects in one second, and the `move_rate_per_s` that was set;
- `unexpected`: connections that ended without a `move`, by reason; `refused`: resume tokens that
  were refused;
- `copies_before`, `copies_after`: copies of a message that routers and relays made, on the ordinary
  way and on the hot one;
- `ok`: the room went the whole way, and nothing was lost or doubled.
"""
