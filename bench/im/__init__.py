"""`relaymesh bench im`: instant messages through the whole cluster.

Starts a cluster of its own; it, the database and the load share the machine's cores. First pairs of
friends write to each other at a steady rate, then groups of many members are written to at once.
Prints

- `accepted_per_s`: single-chat messages acknowledged, over the time of sending;
- `ack_p50_ms`, `ack_p99_ms`: from when a message was due to its acknowledgement (its commit);
- `recipient_p99_ms`: from when it was due to the other friend's client having read it;
- `mailbox_rows_per_s`: rows that diffusion put into mailboxes, from the first group message until
  the last row is there; `group_members`, `group_messages`: what was written;
- `store_rows_per_s`: what the database itself takes in the same run, with nothing else going on:
  300-byte messages, 500 a transaction, from one thread;
- `sent`, `acked`, `refused`, `delivered`; `lost`: acknowledged and not read by the other friend;
- `cpu_share`: of one core while friends write, by role, and of the `load` itself;
- `database`: `sqlite` or `postgresql`; `ok`: nothing was lost.
"""
