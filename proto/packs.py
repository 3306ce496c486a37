r"""Several records in one bus body: text, with the headers in front of the bodies.

    relaymesh pack 1\n
    [[header, length, encoding], ...]\n
    bodies, one after the other, each `length` bytes long

The second line is JSON. `encoding` is `t` for a body that is UTF-8 text and stands as it is, and
`b` for base64. A pack is UTF-8 without NUL and within `MAX_PACK_BYTES`, which every bus carries.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from proto.records import MAX_UIDS_PER_RECORD, Record, RecordHeader

MAX_PACK_BYTES = 128 * 1024
"""RocketMQ's client sends no longer body."""

MAGIC = b"relaymesh pack 1\n"

Encoding = Literal["t", "b"]


class UnreadablePackError(ValueError):
    """The body is no pack that this version reads; the message says what is wrong with it."""


class RecordTooLargeError(ValueError):
    """A record alone is longer than `MAX_PACK_BYTES`; its text names the record."""


class _Entry(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    header: RecordHeader
    length: Annotated[int, msgspec.Meta(ge=0)]
    encoding: Encoding


_encode_json = msgspec.json.Encoder().encode
_decode_entries = msgspec.json.Decoder(list[_Entry]).decode


class EncodedRecord(msgspec.Struct, frozen=True):
    """A record as it stands in a pack."""

    entry: bytes
    body: bytes
    receivers: int = 0

    @property
    def size_bytes(self) -> int:
        """What it adds to a pack's length."""
        return len(self.entry) + 1 + len(self.body)


def pack(records: Sequence[Record]) -> list[bytes]:
    """Return packs that hold `records` in order, as few as `MAX_PACK_BYTES` permits.

    Raises `RecordTooLargeError` when one record does not fit into a pack of its own.
    """
    return join_packs([encode_record(record) for record in records])


def encode_record(record: Record) -> EncodedRecord:
    """Return `record` ready for `join_packs`; raises `RecordTooLargeError` if it fits no pack."""
    encoding, body = _encode_body(record.body)
    entry = _encode_json(_Entry(record.header, len(body), encoding))
    encoded = EncodedRecord(entry, body, len(record.header.uids))
    if FRAME_BYTES + encoded.size_bytes > MAX_PACK_BYTES:
        raise RecordTooLargeError(
            f"record {record.header.id!r} takes {encoded.size_bytes} bytes of a pack, "
            f"which has at most {MAX_PACK_BYTES}"
        )
    return encoded


def join_packs(records: Sequence[EncodedRecord]) -> list[bytes]:
    """Return packs that hold `records` in order, as few as `MAX_PACK_BYTES` permits.

    A pack has one consumer, so one with several records names at most `MAX_UIDS_PER_RECORD`
    receivers: a list that was cut up for several routers is not joined for one again.
    """
    packs: list[bytes] = []
    held: list[EncodedRecord] = []
    size, receivers = FRAME_BYTES, 0
    for record in records:
        full = size + record.size_bytes > MAX_PACK_BYTES
        if full or (held and receivers + record.receivers > MAX_UIDS_PER_RECORD):
            packs.append(_join(held))
            held, size, receivers = [], FRAME_BYTES, 0
        held.append(record)
        size += record.size_bytes
        receivers += record.receivers
    if held:
        packs.append(_join(held))
    return packs


def unpack(body: bytes) -> list[Record]:
    """Return the records of a pack, in order; raises `UnreadablePackError`."""
    entries, start = _open(body)
    records = []
    for entry in entries:
        end = start + entry.length
        records.append(Record(entry.header, _decode_body(body[start:end], entry.encoding)))
        start = end
    return records


def read_headers(body: bytes) -> list[RecordHeader]:
    """Return the headers of a pack without decoding a body; raises `UnreadablePackError`."""
    return [entry.header for entry in _open(body)[0]]


def _encode_body(body: bytes) -> tuple[Encoding, bytes]:
    if 0 not in body:
        try:
            body.decode()
        except UnicodeDecodeError:
            pass
        else:
            return "t", body
    return "b", base64.b64encode(body)


def _decode_body(body: bytes, encoding: Encoding) -> bytes:
    if encoding == "t":
        return body
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise UnreadablePackError(f"a body is not base64: {error}") from None


def _join(records: Sequence[EncodedRecord]) -> bytes:
    entries = b",".join([record.entry for record in records])
    return b"".join([MAGIC, b"[", entries, b"]\n", *[record.body for record in records]])


def _open(body: bytes) -> tuple[list[_Entry], int]:
    """Return the entries and where the first body starts."""
    if not body.startswith(MAGIC):
        raise UnreadablePackError(f"does not start with {MAGIC.decode().strip()!r}")
    end = body.find(b"\n", len(MAGIC))
    if end < 0:
        raise UnreadablePackError("the headers do not end")
    try:
        entries = _decode_entries(memoryview(body)[len(MAGIC) : end])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadablePackError(f"the headers can't be read: {error}") from None
    promised, held = sum(entry.length for entry in entries), len(body) - end - 1
    if promised != held:
        raise UnreadablePackError(f"promises {promised} bytes of bodies and holds {held}")
    return entries, end + 1


FRAME_BYTES = len(_join([]))
EMPTY_PACK = _join([])
"""A pack without records: valid, and nothing for a consumer to do."""
