"""How envelopes gather into batches, the same at both ends of a link."""

from proto.priorities import Priority

BATCH_BYTES = 128 * 1024
"""Where a batch ends: large enough that its cost no longer counts, small enough to be sent soon."""

LINGER_S = {Priority.URGENT: 0.0, Priority.NORMAL: 0.004, Priority.BULK: 0.01}
"""Least time between two batches on a lane. An idle lane sends at once; on a busy one envelopes
gather, since a batch costs 0.1 to 0.2 ms of processor time however little is in it."""
