from hypothesis import given
from hypothesis import strategies as st

from mesh.outbox import Outbox

SIZES = st.lists(st.integers(1, 60), max_size=60)


def numbered(sizes: list[int]) -> list[bytes]:
    return [b"%d:" % number + b"x" * size for number, size in enumerate(sizes)]


def emptied(outbox: Outbox, batch_bytes: int) -> list[list[bytes]]:
    batches = []
    while outbox.depth:
        batches.append(outbox.take(batch_bytes))
    return batches


@given(SIZES, st.integers(1, 200))
def test_what_was_taken_in_comes_out_in_order_in_batches_of_the_size(
    sizes: list[int], batch_bytes: int
) -> None:
    outbox = Outbox(10_000, drops_oldest=False)
    envelopes = numbered(sizes)
    assert all(outbox.put(envelope) for envelope in envelopes)
    batches = emptied(outbox, batch_bytes)
    assert [envelope for batch in batches for envelope in batch] == envelopes
    assert all(len(batch) == 1 or sum(map(len, batch)) <= batch_bytes for batch in batches)
    assert outbox.depth_bytes == 0


@given(SIZES)
def test_a_full_outbox_refuses_and_keeps_what_it_has(sizes: list[int]) -> None:
    outbox = Outbox(100, drops_oldest=False)
    kept = [envelope for envelope in numbered(sizes) if outbox.put(envelope)]
    assert outbox.depth_bytes <= 100
    assert [one for batch in emptied(outbox, 50) for one in batch] == kept
    assert outbox.dropped == 0


@given(SIZES)
def test_a_full_bulk_outbox_drops_its_oldest_and_counts(sizes: list[int]) -> None:
    outbox = Outbox(100, drops_oldest=True)
    envelopes = numbered(sizes)
    assert all(outbox.put(envelope) for envelope in envelopes)
    kept = [one for batch in emptied(outbox, 50) for one in batch]
    assert kept == envelopes[len(envelopes) - len(kept) :]
    assert outbox.dropped == len(envelopes) - len(kept)


def test_control_goes_first_and_is_never_refused() -> None:
    outbox = Outbox(10, drops_oldest=False)
    assert outbox.put(b"x" * 10)
    outbox.put_control(b"ping")
    assert outbox.take(100) == [b"ping", b"x" * 10]


def test_an_envelope_over_the_bound_passes_alone() -> None:
    outbox = Outbox(10, drops_oldest=False)
    assert outbox.put(b"x" * 20)
    assert not outbox.put(b"y")
    assert outbox.take(5) == [b"x" * 20]
