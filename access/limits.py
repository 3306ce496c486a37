"""The limits of streams and of connections, made of the node's settings."""

from access.room_stream import StreamLimits
from access.session import SessionLimits
from access.settings import ClientSettings, RoomSettings
from access.stream import RepairRules
from backends.rate_limit.interface import Rate
from proto.priorities import Priority


def stream_limits(room: RoomSettings) -> tuple[StreamLimits, StreamLimits, StreamLimits]:
    """Return the bounds of each priority's streams."""

    def limits(priority: Priority) -> StreamLimits:
        bulk = priority is Priority.BULK
        repair = RepairRules(
            repaired=not bulk,
            reorder_s=(room.bulk_reorder_ms if bulk else room.reorder_ms) / 1000,
            tail_s=room.tail_ms / 1000,
            max_held=room.max_held,
        )
        return StreamLimits(
            max_tick_s=0.0 if priority is Priority.URGENT else room.tick_ms / 1000,
            tick_ratio=room.tick_ratio,
            ring_frames=room.ring_frames,
            ring_bytes=room.ring_bytes,
            max_pending=room.max_pending,
            max_pending_bytes=room.max_round_bytes * 64,
            max_round_bytes=room.max_round_bytes,
            repair=repair,
        )

    return limits(Priority.URGENT), limits(Priority.NORMAL), limits(Priority.BULK)


def session_limits(client: ClientSettings) -> SessionLimits:
    """Return the bounds of a connection."""
    return SessionLimits(
        hello_s=client.hello_s,
        frames=Rate(client.frames_per_s, client.frames_burst),
        max_refused_frames=client.max_refused_frames,
        max_bad_frames=client.max_bad_frames,
        strikes_window_s=client.strikes_window_s,
        max_rooms=client.max_rooms,
        joins=Rate(client.joins_per_s, client.joins_burst),
        max_in_flight=client.max_in_flight,
    )
