"""Limits that can't be meant are refused by the name of their key."""

import tomllib

import pytest

from ops.config.load import complete, from_sources
from ops.errors import Refusal
from tests.access.cluster import SECRET


def refusal(text: str) -> str:
    data = {"access": {"tokens": {"secret": SECRET}, **tomllib.loads(text)}}
    with pytest.raises(Refusal) as caught:
        complete("access", from_sources("access", data, "access.toml", {}))
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("edge.address.trusted_proxies = ['10.0.0.1/8']", "edge.address.trusted_proxies: expected"),
        ("edge.address.trusted_proxies = ['proxy']", "got 'proxy'"),
        ("edge.inbound.bytes_burst = 5000", "edge.inbound.bytes_burst: expected at least twice"),
        ("edge.inbound.max_fragments = 0", "edge.inbound.max_fragments: expected"),
        ("edge.request.max_heders = 9", "did you mean access.edge.request.max_headers?"),
        ("user.max_connections = 40", "user.max_connections: expected `int` <= 39"),
        ("client.expiry_warning_s = 0", "client.expiry_warning_s: expected"),
    ],
)
def test_it_says_which_key_and_what_is_expected(text: str, said: str) -> None:
    assert said in refusal(text)
