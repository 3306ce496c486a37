"""What is agreed to of the offers of permessage-deflate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.extensions import PerMessageDeflate

from access.edge.opening.deflate_offers import agree

ALWAYS = b"permessage-deflate; server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize(
    ("offers", "window_bits", "asked"),
    [
        ([b"permessage-deflate"], 15, b""),
        ([b"permessage-deflate; client_max_window_bits"], 15, b""),
        ([b"permessage-deflate;client_max_window_bits=9"], 15, b""),
        ([b"Permessage-Deflate ; server_no_context_takeover"], 15, b""),
        ([b"permessage-deflate; client_no_context_takeover"], 15, b""),
        ([b"permessage-deflate; server_max_window_bits=12"], 12, b"; server_max_window_bits=12"),
        ([b'permessage-deflate; server_max_window_bits="9"'], 9, b"; server_max_window_bits=9"),
        ([b"x-other", b"permessage-deflate"], 15, b""),
        ([b"permessage-deflate; nonsense", b"permessage-deflate"], 15, b""),
        (
            [b"permessage-deflate; server_max_window_bits=10", b"permessage-deflate"],
            10,
            b"; server_max_window_bits=10",
        ),
    ],
)
def test_the_first_offer_that_can_be_met_is(
    offers: list[bytes], window_bits: int, asked: bytes
) -> None:
    agreed = agree(offers)
    assert agreed is not None
    assert (agreed.window_bits, agreed.answer) == (window_bits, ALWAYS + asked)


@pytest.mark.parametrize(
    "parameters",
    [
        b"server_max_window_bits",
        b"server_max_window_bits=",
        b"server_max_window_bits=8",  # legal, but zlib makes no such stream
        b"server_max_window_bits=16",
        b"server_max_window_bits=09",
        b"server_max_window_bits='9'",
        b'server_max_window_bits="9',
        b"client_max_window_bits=7",
        b"client_max_window_bits=",
        b'client_max_window_bits=""',
        b"server_no_context_takeover=1",
        b"client_no_context_takeover=true",
        b"client_no_context_takeover; client_no_context_takeover",
        b"Server_No_Context_Takeover",
        b"mux",
        b"",
        b"; client_max_window_bits",
    ],
)
def test_an_offer_that_is_malformed_or_cannot_be_met_is_declined(parameters: bytes) -> None:
    assert agree([b"permessage-deflate; " + parameters]) is None


@pytest.mark.parametrize("offers", [[], [b""], [b"permessage-deflate2"], [b"=;="]])
def test_whoever_offers_nothing_known_gets_none(offers: list[bytes]) -> None:
    assert agree(offers) is None


@given(st.lists(st.binary(max_size=40).map(lambda tail: b"permessage-deflate;" + tail)))
def test_no_offer_raises(offers: list[bytes]) -> None:
    agree(offers)


def test_a_client_library_takes_the_answer() -> None:
    client = PerMessageDeflate(server_max_window_bits=11)
    offer = client.offer()
    assert isinstance(offer, str)
    agreed = agree([b"permessage-deflate; " + offer.encode()])
    assert agreed is not None
    client.finalize(agreed.answer.decode())
    assert client.enabled()
    assert client.client_no_context_takeover
    assert client.server_no_context_takeover
    assert client.server_max_window_bits == 11
