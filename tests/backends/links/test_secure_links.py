"""Links with certificates: who gets one, who is told what, and what a new certificate changes."""

import datetime as dt
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from backends.links.interface import Happened
from backends.links.nng import NngLinks
from backends.tls.credentials import Credentials, load
from backends.tls.files import Files
from ops.certs.folder import Folder
from tests.backends.links.test_links import WITHIN_S, Pump

REFUSED_S = 0.15
"""As long as a dialer tries that is to be refused: some tries, 50 to 250 ms apart."""


@pytest.fixture
def url(free_port: int) -> str:
    return f"tls+tcp://127.0.0.1:{free_port}"


@pytest.fixture
async def relay(certs: Folder) -> NngLinks:
    return NngLinks(credentials=load(certs.issue("relay", "relay-1")))


@pytest.fixture
async def listener(relay: NngLinks, url: str) -> AsyncIterator[Pump]:
    end = relay.listen(url)
    yield Pump(end)
    end.close()


def expired(certs: Folder) -> Files:
    past = Folder(certs.path, lambda: dt.datetime.now(dt.UTC) - dt.timedelta(days=30))
    return past.issue("access", "access-9", days=1)


def of_another_authority(certs: Folder) -> Files:
    """A certificate of others, with the right authority beside it."""
    other = Folder(certs.path / "other")
    if not other.has_authority:
        other.init()
    return other.issue("access", "access-9")._replace(ca_file=str(certs.path / "ca.pem"))


def credentials(certs: Folder, files: Files) -> Credentials:
    """Read files of which a node itself would refuse some."""
    own = load(certs.issue("access", "access-1"))
    chain, key = Path(files.cert_file).read_text(), Path(files.key_file).read_text()
    return Credentials(own.name, own.expires_s, own.authorities, chain, key, files)


async def test_both_sides_know_whom_the_other_one_certificate_is_for(
    relay: NngLinks, listener: Pump, url: str, certs: Folder
) -> None:
    links = NngLinks(credentials=load(certs.issue("access", "access-1")))
    with trio.fail_after(WITHIN_S):
        end = await links.dial(url)
    assert end.link.peer == "relay/relay-1"
    assert (await listener.happened(Happened.OPENED)).peer == "access/access-1"
    assert await links.explain(url) == ""
    end.close()


@pytest.mark.parametrize(
    ("shown", "answer"),
    [
        (expired, "it refuses our certificate: "),
        (of_another_authority, "it refuses our certificate: "),
    ],
)
async def test_a_certificate_that_is_of_no_use_gets_no_link_and_is_told_why(
    relay: NngLinks,
    listener: Pump,
    url: str,
    certs: Folder,
    shown: Callable[[Folder], Files],
    answer: str,
) -> None:
    links = NngLinks(credentials=credentials(certs, shown(certs)))
    with trio.move_on_after(REFUSED_S):
        await links.dial(url)
        raise AssertionError("it got a link")
    assert (await links.explain(url)).startswith(answer)
    assert not listener.end.poll(10)


async def test_who_speaks_no_tls_is_cut(listener: Pump, url: str) -> None:
    def speak() -> bytes:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as peer:
            peer.settimeout(WITHIN_S)
            peer.sendall(b"\0SP\0\0\x11\0\0")
            answer = b""
            while more := peer.recv(64):
                answer += more
            return answer

    assert b"SP" not in await trio.to_thread.run_sync(speak)
    assert not listener.end.poll(10)


async def test_a_listener_that_is_no_relay_gets_no_link(certs: Folder, url: str) -> None:
    impostor = NngLinks(credentials=load(certs.issue("logic", "logic-1")))
    node = NngLinks(credentials=load(certs.issue("access", "access-1")))
    end = impostor.listen(url)
    with trio.move_on_after(REFUSED_S):
        await node.dial(url)
        raise AssertionError("it got a link")
    assert (await node.explain(url)).startswith("the TLS handshake fails: ")
    end.close()


async def test_why_nobody_answers_is_told(certs: Folder, url: str, free_port: int) -> None:
    node = NngLinks(credentials=load(certs.issue("access", "access-1")))
    assert await node.explain(url) == "can't connect: Connection refused"
    plain = NngLinks().listen(f"tcp://127.0.0.1:{free_port}")
    assert (await node.explain(url)).startswith("the TLS handshake fails: wrong version number")
    plain.close()


async def test_there_are_no_links_in_the_clear_beside_encrypted_ones(relay: NngLinks) -> None:
    with pytest.raises(OSError, match="expected tls\\+tcp://"):
        await relay.dial("tcp://127.0.0.1:1")
    with pytest.raises(OSError, match="expected tls\\+tcp://"):
        relay.listen("tcp://127.0.0.1:0")


async def test_new_links_have_the_new_certificate_and_open_ones_stay(
    relay: NngLinks, listener: Pump, url: str, certs: Folder, tmp_path: Path
) -> None:
    new_certs = Folder(tmp_path / "new")
    new_certs.init()
    old = NngLinks(credentials=load(certs.issue("access", "access-1")))
    waiting = NngLinks(credentials=load(certs.issue("access", "access-2")))
    with trio.fail_after(WITHIN_S):
        end = await old.dial(url)
    far = await listener.happened(Happened.OPENED)
    relay.use(load(new_certs.issue("relay", "relay-2")))
    with trio.fail_after(WITHIN_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(waiting.dial, url)
            await trio.sleep(REFUSED_S)
            waiting.use(load(new_certs.issue("access", "access-2")))
        assert (await listener.happened(Happened.OPENED)).peer == "access/access-2"
    assert waiting.certificate is not None
    assert waiting.certificate.name == "access/access-2"
    end.link.send(b"still here")
    assert await listener.batches(1) == [b"still here"]
    far.send(b"so am I")
    assert await Pump(end).batches(1) == [b"so am I"]
    end.close()
