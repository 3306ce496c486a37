"""permessage-deflate for the fallback's wsproto connection."""

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from access.edge.reading.inflate import BrokenError, TooBigError, inflate, max_deflated_bytes


class InboundDeflate(Extension):
    """Reading only. A message is inflated when its last frame is whole, so that a client which
    stops in the middle of one leaves no zlib state behind.

    wsproto has an extension of this name, but it inflates without a bound, and takes a control
    frame between two fragments for the end of the message.
    """

    name = "permessage-deflate"

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._deflated = False
        """Whether the current message is compressed."""
        self._in_control = False
        self._left_bytes = 0
        self._parts: list[bytes] = []

    def enabled(self) -> bool:
        """See `Extension`."""
        return True

    def offer(self) -> bool:
        """See `Extension`: the handshake is done."""
        return False

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,  # noqa: ARG002
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """See `Extension`: refuses a message by what its frames declare."""
        self._in_control = opcode.iscontrol()
        if self._in_control or opcode is Opcode.CONTINUATION:
            if rsv.rsv1:
                return CloseReason.PROTOCOL_ERROR
        else:
            self._begin(rsv.rsv1)
        if self._deflated and not self._in_control:
            self._left_bytes -= payload_length
            if self._left_bytes < 0:
                return CloseReason.MESSAGE_TOO_BIG
        return RsvBits(True, False, False)

    def _begin(self, deflated: bool) -> None:
        self._deflated = deflated
        self._left_bytes = max_deflated_bytes(self._max_message_bytes)
        self._parts = []

    def frame_inbound_payload_data(
        self,
        proto: FrameDecoder | FrameProtocol,  # noqa: ARG002
        data: bytes,
    ) -> bytes | CloseReason:
        """See `Extension`."""
        if not self._deflated or self._in_control:
            return data
        self._parts.append(data)
        return b""

    def frame_inbound_complete(
        self,
        proto: FrameDecoder | FrameProtocol,  # noqa: ARG002
        fin: bool,
    ) -> bytes | CloseReason | None:
        """See `Extension`."""
        if not self._deflated or self._in_control or not fin:
            return None
        payload, self._parts, self._deflated = b"".join(self._parts), [], False
        try:
            return inflate(payload, self._max_message_bytes)
        except TooBigError:
            return CloseReason.MESSAGE_TOO_BIG
        except BrokenError:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
