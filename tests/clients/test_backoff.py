from random import Random

import pytest

from relaymesh_client.backoff import LONGEST_REST_S, EndpointChoice, retry_after_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"Server", b"x"), (b"Retry-After", b"7")], 7.0),
        ([(b"retry-after", b" 3 ")], 3.0),
        ([(b"retry-after", b"999999")], LONGEST_REST_S),
        ([(b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT")], 0.0),
        ([(b"retry-after", b"-5")], 0.0),
        ([], 0.0),
    ],
)
def test_what_a_refusal_asks_for(headers: list[tuple[bytes, bytes]], seconds: float) -> None:
    assert retry_after_s(headers) == seconds


def test_a_rest_ends_and_is_spread() -> None:
    choice = EndpointChoice(Random(1))
    assert choice.rest_s("ws://a", 5.0) == 0.0
    rests = []
    for _ in range(20):
        choice.asked_to_rest("ws://a", 7.0, 5.0)
        rests.append(choice.rest_s("ws://a", 5.0))
    assert 7.0 <= min(rests) < max(rests) <= 8.0
    assert choice.rest_s("ws://b", 5.0) == 0.0
    assert choice.rest_s("ws://a", 13.1) == 0.0
