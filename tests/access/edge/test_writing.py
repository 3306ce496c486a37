"""The write paths over real sockets: one suite for all of them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from access.edge.audience import SeatedAudience
from access.edge.interface import Batch
from access.edge.settings import WritePathName
from access.edge.writing import choice
from access.edge.writing.choice import WritePathUnavailableError, choose
from access.edge.writing.interface import WritePath

MAX_FRAME_BYTES = 100_000
SMALL_BUFFER_BYTES = 4096


class Member:
    """A socket in an audience; `queue` takes the frames while `stalled`."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.seats: dict[SeatedAudience, int] = {}
        self.near = near
        self.far = far
        self.queue: list[bytes] = []
        self.stalled = False

    @property
    def writer(self) -> Any:
        return self.push if self.stalled else self.near.send

    @property
    def descriptor(self) -> int:
        return -1 if self.stalled else self.near.fileno()

    def push(self, frame: bytes) -> int:
        self.queue.append(frame)
        return len(frame)

    def round_cut_short(self, frame: bytes, count: int, batch: Batch) -> None:
        raise AssertionError("the fan-out's business")

    def cut(self) -> None:
        raise AssertionError("the fan-out's business")

    def received(self) -> bytes:
        parts = []
        try:
            while part := self.far.recv(1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)


class Crowd:
    """Members in an audience, made one by one."""

    def __init__(self, stack: ExitStack) -> None:
        self.audience = SeatedAudience()
        self._stack = stack

    def add(self, *, stalled: bool = False, small: bool = False) -> Member:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            far = self._stack.enter_context(socket.socket())
            if small:
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
            far.connect(listener.getsockname())
            near = self._stack.enter_context(listener.accept()[0])
        if small:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER_BYTES)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near.setblocking(False)
        far.setblocking(False)
        member: Any = Member(near, far)
        member.stalled = stalled
        self.audience.add(member)
        return member

    def write(self, path: WritePath, frame: bytes) -> list[tuple[int, int]]:
        return path.write(self.audience, 0, len(self.audience.members), frame)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with ExitStack() as stack:
        yield Crowd(stack)


@pytest.fixture
def path(write_path: WritePathName) -> Iterator[WritePath]:
    chosen = choose(write_path, MAX_FRAME_BYTES).path
    assert chosen.name == write_path
    yield chosen
    chosen.close()


def test_each_seat_of_the_run_gets_the_frame_once(crowd: Crowd, path: WritePath) -> None:
    members = [crowd.add() for _ in range(5)]
    assert path.write(crowd.audience, 1, 4, b"frame") == []
    assert [member.received() for member in members] == [b"", b"frame", b"frame", b"frame", b""]


def test_more_seats_than_the_ring_has_entries(
    crowd: Crowd, path: WritePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("access.edge.writing.io_uring.ENTRIES", 4)
    small = choose(path.name, MAX_FRAME_BYTES).path  # type: ignore[arg-type]
    members = [crowd.add() for _ in range(11)]
    for number in range(5):
        assert crowd.write(small, b"%d" % number) == []
    small.close()
    assert {member.received() for member in members} == {b"01234"}


def test_a_full_socket_is_told_with_what_it_took(crowd: Crowd, path: WritePath) -> None:
    before, small, after = crowd.add(), crowd.add(small=True), crowd.add()
    frame = bytes(range(256)) * 256
    told = []
    while not told:
        told = crowd.write(path, frame)
        assert before.received() == after.received() == frame
        taken = small.received() if not told else b""
    ((seat, count),) = told
    assert seat == 1
    assert 0 < count < len(frame)
    assert taken + small.received() == frame[:count]
    filled = crowd.write(path, frame)
    while filled and filled[0][1] > 0:  # what the peer has read made some room
        filled = crowd.write(path, frame)
    assert filled == [(1, 0)]


def test_a_broken_socket_is_told(crowd: Crowd, path: WritePath) -> None:
    crowd.add()
    crowd.add().near.shutdown(socket.SHUT_RDWR)
    crowd.add()
    assert crowd.write(path, b"frame") == [(1, -1)]


def test_stalled_members_get_it_through_their_writers(crowd: Crowd, path: WritePath) -> None:
    direct = [crowd.add() for _ in range(4)]
    stalled = crowd.add(stalled=True)
    assert crowd.write(path, b"frame") == []
    assert stalled.queue == [b"frame"]
    assert stalled.received() == b""
    assert [member.received() for member in direct] == [b"frame"] * 4


def test_where_most_are_stalled_all_get_it_too(crowd: Crowd, path: WritePath) -> None:
    stalled = [crowd.add(stalled=True) for _ in range(4)]
    direct = crowd.add()
    assert crowd.write(path, b"frame") == []
    assert [member.queue for member in stalled] == [[b"frame"]] * 4
    assert direct.received() == b"frame"


def test_an_empty_seat_gets_nothing(crowd: Crowd, path: WritePath) -> None:
    members: list[Any] = [crowd.add() for _ in range(3)]
    crowd.audience.discard(members[1])
    assert crowd.write(path, b"frame") == []
    assert [member.received() for member in members] == [b"frame", b"", b"frame"]


def test_a_frame_beyond_the_buffer_is_written_all_the_same(crowd: Crowd, path: WritePath) -> None:
    member = crowd.add()
    frame = bytes(MAX_FRAME_BYTES + 1)
    assert crowd.write(path, frame) == []
    assert member.received() == frame


def test_seats_stay_right_when_empty_ones_are_taken_out(crowd: Crowd, path: WritePath) -> None:
    members: list[Any] = [crowd.add() for _ in range(200)]
    for member in members[:150]:
        crowd.audience.discard(member)
    crowd.audience.compact()
    assert (len(crowd.audience), crowd.audience.direct) == (50, 50)
    assert crowd.write(path, b"frame") == []
    assert [member.received() for member in members] == [b""] * 150 + [b"frame"] * 50


def test_io_uring_by_name_is_refused_where_it_does_not_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(1, "io_uring_setup")

    monkeypatch.setattr(choice, "Ring", forbidden)
    with pytest.raises(WritePathUnavailableError, match=r"edge\.write_path.*io_uring_setup"):
        choose("io_uring", MAX_FRAME_BYTES)
    chosen = choose("auto", MAX_FRAME_BYTES)
    assert chosen.path.name == "loop"
    assert "io_uring_setup" in chosen.reason
