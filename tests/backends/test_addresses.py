"""Whose connection it is when proxies stand before the node."""

import pytest

from backends.addresses import LOOPBACK, Proxies, network_of

PROXIES = Proxies([*LOOPBACK, "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.5, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.5", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7\x00"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert PROXIES.client_of(peer, forwarded) == client


def test_a_client_cannot_choose_its_address_by_what_it_writes_itself() -> None:
    written = "127.0.0.1, 10.0.0.9, 203.0.113.5"
    assert PROXIES.client_of("10.0.0.1", [f"{written}, 198.51.100.7"]) == "198.51.100.7"


def test_trust() -> None:
    assert PROXIES.trusts("127.9.9.9")
    assert PROXIES.trusts("::1")
    assert PROXIES.trusts("")
    assert not PROXIES.trusts("11.0.0.1")
    assert not Proxies([]).trusts("127.0.0.1")


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"CIDR.*'10\.0\.0\.1/8'"):
        Proxies(["10.0.0.1/8"])


def test_a_line_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("192.0.2.1") == network_of("::ffff:192.0.2.1") == "192.0.2.1"
