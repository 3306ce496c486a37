"""What a slow client is told when messages were taken out of its queue."""

from access.edge.interface import Skipped
from proto import server_frames


def encode_skipped(skipped: Skipped) -> bytes:
    """Return the message that tells a slow client what was thinned."""
    frame = server_frames.skipped(
        skipped.stream, skipped.priority, skipped.epoch, skipped.first_seq, skipped.last_seq
    )
    return server_frames.message([frame])
