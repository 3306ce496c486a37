"""What can be tuned at the edge, each default with its reason."""

from dataclasses import dataclass
from typing import Literal

from access.edge.opening.addresses import AddressLimits
from backends.rate_limit.interface import Rate
from proto.client_requests import SUBPROTOCOL

INBOUND_BYTES = Rate(128 * 1024, 1024 * 1024)
PINGS = Rate(5, 50)
ONE_ADDRESS = AddressLimits()
WritePathName = Literal["auto", "loop", "io_uring"]


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """The limits and times of the edge; sizes in bytes, times in seconds."""

    path: str = "/v1"
    subprotocol: str | None = SUBPROTOCOL
    """What a client must offer and is answered; `None`: nothing, where no protocol is spoken."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Exact origins, or `*`. A request without Origin (no browser) is always allowed."""
    max_connections: int = 100_000
    """Beyond it a handshake is answered 503 with Retry-After."""
    max_request_bytes: int = 8192
    max_url_bytes: int = 1024
    max_headers: int = 64
    """Browsers behind proxies send about 20."""
    max_header_bytes: int = 4096
    """Of one header's name and value: the cookies of a page's domain come along."""
    address: AddressLimits = ONE_ADDRESS
    handshake_timeout_s: float = 5.0
    """In total: a handshake that trickles in is cut just as a silent one."""
    max_message_bytes: int = 16 * 1024
    """Chat messages are hundreds of bytes; a bigger one is a mistake or an attack."""
    max_fragments: int = 128
    """Frames of one message: each costs, however little is in it."""
    inbound_bytes: Rate = INBOUND_BYTES
    """Of one client; beyond it the connection is closed with 4004."""
    pings: Rate = PINGS
    """Of one client, each of which is to be answered; beyond it: 4004."""
    compression: bool = True
    """Agrees to permessage-deflate where a client offers it. On: a room's round is compressed once
    for all, and seven bytes of ten are saved for each member (`relaymesh bench compression`)."""
    deflate_from_bytes: int = 256
    """A round below it stays plain: a single message of 200 bytes would shrink by a fifth, which is
    less than its packet's own headers."""
    max_queued_bytes: int = 256 * 1024
    """What may wait for one slow client before its bulk, then normal, rounds are thinned."""
    stall_s: float = 10.0
    """A socket that takes nothing for so long is closed with 4008: what its client misses meanwhile
    is thinned here, but still in the room log when it resumes within a minute."""
    unsent_bytes: int = 16 * 1024
    """TCP_NOTSENT_LOWAT: what the kernel may hold unsent. An urgent frame waits behind at most
    this much bulk: 16 KiB are 130 ms at 1 Mbit/s; with the kernel's own default it is megabytes."""
    write_path: WritePathName = "auto"
    """`auto`: io_uring where a probe at start has seen it work, else the loop."""
    max_frame_bytes: int = 128 * 1024
    """What io_uring's buffer holds: twice the largest round of a room. Bigger ones are looped."""
    chunk: int = 256
    """Sockets written between two looks at the priorities: 256 take about 2 ms."""
    events_per_wakeup: int = 128
    """Sockets read before the fan-out gets its turn: 128 take about 2 ms."""
    read_slice_s: float = 0.003
    """The fan-out gets its turn earlier when reading takes longer than this: a few clients that
    send thousands of tiny frames must not hold the others' messages up."""
    max_opening: int = 2000
    """Accepted, and their hello not answered yet: 6,000 a second at a round trip of 300 ms."""
    turn_s: float = 0.005
    """What a turn of the loop may take while connections open; fewer open at a turn beyond it."""
    opening_wait_s: float = 1.0
    """When somebody has been waiting to be accepted all that time, a part is sent away."""
    retry_spread_s: int = 10
    """Those sent away are told to come back in 1 to this many seconds."""
    ping_interval_s: float = 25.0
    """Quiet for so long: pinged; for twice as long: closed. NATs forget after 30 s at worst."""
    close_timeout_s: float = 3.0
    """How long the peer's part of a closing handshake is waited for."""
    accept_pause_s: float = 0.25
    """How long accepting rests when the process is out of file descriptors."""
