"""io_uring (Linux, io_uring(7)), as much of it as sends one buffer to many sockets in one call.

The entries of the submission queue stay in place from call to call; for a frame only the columns of
descriptors and lengths are written. Every request is done within our own `io_uring_enter`, on the
thread that made the ring, so no barriers are needed and no buffer is in use after the call.

There is a binding on PyPI, `liburing`: it fills each entry by several calls from Python, which
costs about what the ring saves.
"""

import ctypes
import mmap
import os
import struct
from array import array
from errno import EAGAIN

SETUP, ENTER = 425, 426
"""Numbers of the system calls, the same on every architecture."""
SETUP_CQSIZE = 1 << 3
SETUP_SUBMIT_ALL = 1 << 7
SETUP_SINGLE_ISSUER = 1 << 12
SETUP_NO_SQARRAY = 1 << 16
SETUP_FLAGS = SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_SINGLE_ISSUER | SETUP_NO_SQARRAY
"""Not `DEFER_TASKRUN`: a request that never waits leaves no work to defer, and asking for it costs
a percent or two."""
SQES_OFFSET = 0x10000000
OP_SEND = 26
CQE_SKIP_SUCCESS = 1 << 6
MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL = 0x40, 0x100, 0x4000
SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL
"""`MSG_WAITALL` makes a short send a failure, which is told; without it, it passes as success."""

ENTRY = struct.Struct("<BBHiQQIIQ24x")
"""opcode, flags, ioprio, fd, off, addr, len, msg_flags, user_data."""
COMPLETION = struct.Struct("<QiI")
"""user_data, res, flags."""
ENTRY_WORDS, FD_WORD, LENGTH_WORD = 16, 1, 6
WRAP = 0xFFFFFFFF


class _Offsets(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("head", "tail", "mask", "entries", "flags")),
        *((name, ctypes.c_uint32) for name in ("dropped", "array", "resv1")),
        ("user_addr", ctypes.c_uint64),
    )
    # The completion queue's have `overflow` where the others have `flags`, `cqes` for `dropped`.


class _Params(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("sq_entries", "cq_entries", "flags")),
        *((name, ctypes.c_uint32) for name in ("sq_thread_cpu", "sq_thread_idle", "features")),
        ("wq_fd", ctypes.c_uint32),
        ("resv", ctypes.c_uint32 * 3),
        ("sq", _Offsets),
        ("cq", _Offsets),
    )


class Ring:
    """Room for `entries` sends a call (a power of two) of up to `buffer_bytes` each.

    Raises `OSError` where the kernel is too old or forbids io_uring.
    """

    def __init__(self, entries: int, buffer_bytes: int) -> None:
        self.buffer_bytes = buffer_bytes
        self._libc = ctypes.CDLL(None, use_errno=True)
        params = _Params(flags=SETUP_FLAGS, cq_entries=2 * entries)
        self._descriptor = self._libc.syscall(SETUP, entries, ctypes.byref(params))
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        self._entries = int(params.sq_entries)
        self._buffer = ctypes.create_string_buffer(buffer_bytes)
        self._map(params)
        self._fill()

    def close(self) -> None:
        """Close the ring; nothing is under way between two calls."""
        os.close(self._descriptor)

    def send(self, descriptors: "array[int]", frame: bytes) -> list[tuple[int, int]]:
        """Send `frame` to each of `descriptors`.

        Returns what was not sent whole: the index of the descriptor, and the bytes that were sent
        or a negative errno.
        """
        ctypes.memmove(self._buffer, frame, len(frame))
        failed: list[tuple[int, int]] = []
        done = 0
        while done < len(descriptors):
            done += self._send_some(descriptors, done, len(frame), failed)
        return failed

    def _send_some(
        self, descriptors: "array[int]", done: int, size: int, failed: list[tuple[int, int]]
    ) -> int:
        """Fill entries up to the end of the queue and submit them; returns how many."""
        words = self._words
        tail = words[self._sq_tail]
        slot = tail & (self._entries - 1)
        count = min(self._entries - slot, len(descriptors) - done)
        self._fds[slot : slot + count] = memoryview(descriptors)[done : done + count]
        self._lengths[slot : slot + count] = memoryview(array("i", (size,)) * count)
        words[self._sq_tail] = (tail + count) & WRAP
        self._libc.syscall(ENTER, self._descriptor, count, 0, 0, None, 0)
        taken = (words[self._sq_head] - tail) & WRAP
        self._collect(done - slot, failed)
        if taken != count:  # the kernel was short of something: as if those sockets were full
            words[self._sq_tail] = words[self._sq_head]
            failed += [(done + index, -EAGAIN) for index in range(taken, count)]
        return count

    def _collect(self, base: int, failed: list[tuple[int, int]]) -> None:
        words = self._words
        head, tail = words[self._cq_head], words[self._cq_tail]
        while head != tail:
            place = self._cqes + COMPLETION.size * (head & self._cq_mask)
            slot, result, _ = COMPLETION.unpack_from(self._ring, place)
            failed.append((base + slot, result))
            head = (head + 1) & WRAP
        words[self._cq_head] = head

    def _map(self, params: _Params) -> None:
        size = params.cq.dropped + COMPLETION.size * params.cq_entries
        self._ring = mmap.mmap(self._descriptor, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        self._words: memoryview[int] = memoryview(self._ring).cast("I")
        self._sq_head, self._sq_tail = int(params.sq.head) // 4, int(params.sq.tail) // 4
        self._cq_head, self._cq_tail = int(params.cq.head) // 4, int(params.cq.tail) // 4
        self._cqes, self._cq_mask = int(params.cq.dropped), int(params.cq_entries) - 1
        self._entry_map = mmap.mmap(
            self._descriptor, ENTRY.size * self._entries, offset=SQES_OFFSET
        )
        columns = memoryview(self._entry_map).cast("i")
        self._fds = columns[FD_WORD::ENTRY_WORDS]
        self._lengths = columns[LENGTH_WORD::ENTRY_WORDS]

    def _fill(self) -> None:
        """Write what stays the same: where the bytes are, and each entry's own number."""
        address = ctypes.addressof(self._buffer)
        for slot in range(self._entries):
            ENTRY.pack_into(
                self._entry_map,
                slot * ENTRY.size,
                *(OP_SEND, CQE_SKIP_SUCCESS, 0, -1, 0, address, 0, SEND_FLAGS, slot),
            )
