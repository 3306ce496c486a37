"""The client's copies of the catalogues say what the server's say."""

from proto import client_requests, close_codes, conversations, errors
from proto.requests import messages
from relaymesh_client import catalogue, likes, membership, stream
from relaymesh_client import conversations as own
from relaymesh_client.im import acks, inbox, pages
from relaymesh_client.websocket import SUBPROTOCOL


def test_errors_equal_the_servers() -> None:
    assert {str(code): entry.retry for code, entry in errors.CATALOGUE.items()} == (
        catalogue.RETRY_BY_ERROR
    )


def test_close_codes_equal_the_servers() -> None:
    assert {int(code): entry.reconnect for code, entry in close_codes.CATALOGUE.items()} == (
        catalogue.RECONNECT_BY_CLOSE
    )
    assert catalogue.TOKEN_EXPIRED == close_codes.CloseCode.TOKEN_EXPIRED


def test_limits_equal_the_servers() -> None:
    assert likes.MAX_LIKES_PER_FRAME == client_requests.MAX_LIKES_PER_FRAME
    assert membership.MAX_ROOMS_PER_HELLO == client_requests.MAX_ROOMS_PER_HELLO
    assert stream.MAX_FETCH == client_requests.MAX_FETCH
    assert SUBPROTOCOL == client_requests.SUBPROTOCOL
    assert acks.MAX_RANGES == messages.MAX_ACK_RANGES
    assert inbox.MAX_HOT == client_requests.MAX_HOT_PER_HELLO
    assert pages.PAGE == messages.MAX_SYNC_PAGE


def test_conversations_have_the_servers_names() -> None:
    assert own.direct("bob", "ann") == conversations.direct("ann", "bob")
    assert own.system("ann") == conversations.system("ann")
    assert own.hot_stream("g:1") == conversations.hot_stream("g:1")
    assert own.hot_group("hot:g:1") == conversations.hot_group("hot:g:1") == "g:1"
    assert own.hot_group(own.MAILBOX) is conversations.hot_group(conversations.MAILBOX) is None
