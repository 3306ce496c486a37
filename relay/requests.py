"""Requests on their way to who answers them, here or at their home, and answers on their way back.

Pure: envelopes are put into lanes, and on links to other regions.
"""

from collections import Counter
from typing import Any

from proto.envelopes import Envelope, Kind, encode
from proto.errors import ErrorCode, RequestError
from proto.headers import (
    ReplyHeader,
    RequestHeader,
    decode_reply,
    decode_request,
    encode_header,
)
from proto.priorities import Priority
from proto.regions import region_of
from relay.admission import Admission, Outstanding, Ticket, Via
from relay.delivery import Delivery, Touched
from relay.peer import Peer
from relay.permissions import MAY_ASK
from relay.regions.crossing import Crossing

RETRY_MS = {
    ErrorCode.OVERLOADED: 300,
    ErrorCode.UNAVAILABLE: 1000,
    ErrorCode.HOME_UNREACHABLE: 2000,
}


class Requests:
    """What is asked through this relay; `admission` has the instances here."""

    def __init__(self, max_outstanding: int, crossing: Crossing, delivery: Delivery) -> None:
        self.admission: Admission[Peer] = Admission(max_outstanding)
        self._crossing = crossing
        self._delivery = delivery
        self._drops: Counter[tuple[str, Priority]] = delivery.drops

    def request(self, peer: Peer, envelope: Envelope, now: float, touched: Touched) -> None:
        """Send a REQUEST to an instance here or to its home, or answer why not."""
        header = decode_request(envelope.header)
        service, region = region_of(envelope.key)
        if not _may_ask(peer, header, region):
            self._drops["forbidden", Priority(envelope.priority)] += 1
            return
        ticket = Ticket(header.source, header.incarnation, header.request)
        deadline = now + header.budget_ms / 1000
        via = (peer.region, peer.node) if peer.role == "relay" else None
        if region:
            refusal = self._crossing.ask(region, service, envelope, ticket, deadline)
        else:
            refusal = self._place(envelope, ticket, deadline, via, touched)
        if refusal is not None:
            refused = Outstanding(ticket, peer, envelope.priority, deadline, via)
            self.refuse(refused, refusal, touched)

    def _place(
        self, envelope: Envelope, ticket: Ticket, deadline: float, via: Via | None, touched: Touched
    ) -> ErrorCode | None:
        """Hand a REQUEST to an instance here; returns the error to refuse it with."""
        instance = self.admission.place(ticket, envelope.priority, deadline, via)
        if not isinstance(instance, Peer):
            return instance
        self._delivery.put(instance, envelope.priority, envelope.raw, touched)
        return None

    def reply(self, peer: Peer, envelope: Envelope, touched: Touched) -> None:
        """Send a REPLY back to who has asked."""
        header, node = decode_reply(envelope.header), envelope.key.decode()
        ticket = Ticket(node, header.incarnation, header.request)
        if peer.role == "relay":
            answered: Outstanding[Any] | None = self._crossing.answered(peer.region, ticket)
        else:
            answered = self.admission.answered(ticket)
        if answered is None:
            self._drops["late_reply", Priority(envelope.priority)] += 1
        else:
            self._back(answered, envelope.raw, touched)

    def _back(self, answered: Outstanding[Any], raw: bytes, touched: Touched) -> None:
        """Send an answer by the way its request came."""
        if answered.via is None:
            self._delivery.to_node(answered.ticket.source, answered.lane, raw, touched)
        else:
            self._crossing.to_relay(*answered.via, answered.lane, raw)

    def refuse(self, left: Outstanding[Any], code: ErrorCode, touched: Touched) -> None:
        """Answer a request that nobody will."""
        ticket, lane = left.ticket, Priority(left.lane)
        error = RequestError(code, retry_after_ms=RETRY_MS[code]).body
        header = encode_header(ReplyHeader(ticket.request, ticket.incarnation, error))
        self._drops[f"request_{code}", lane] += 1
        self._back(left, encode(Kind.REPLY, lane, ticket.source.encode(), header), touched)


def _may_ask(peer: Peer, header: RequestHeader, region: str) -> bool:
    """Say whether `peer` may send the request: by its role, and in its own name or, a relay of
    another region, in that of its nodes, but then of nobody but us."""
    if header.method not in MAY_ASK[peer.role]:
        return False
    if peer.role == "relay":
        return not region
    return header.source == peer.node and header.incarnation == peer.incarnation
