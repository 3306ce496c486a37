"""A look at RocketMQ's client and broker that `up` is to use, before anything starts."""

import socket
import time
from importlib import import_module

from backends.bus.rocketmq.admin import Admin, NoBrokerError
from backends.bus.rocketmq.remoting import RemotingError
from ops.errors import Failure, Refusal

CONNECT_TIMEOUT_S = 3.0
REGISTERS_WITHIN_S = 30.0
"""A broker that has just been started names itself to its name server some seconds later."""

POLL_S = 0.5


def require_client() -> None:
    """Raise `Failure` with one line unless RocketMQ's client and its native library load."""
    loader = import_module("backends.bus.rocketmq.loader")
    try:
        loader.load_client()
    except loader.RocketMQClientMissingError as error:
        raise Failure(str(error)) from None


def require_broker(address: str) -> None:
    """Raise `Refusal` unless `address` is HOST:PORT of a name server, `Failure` unless it answers
    and a broker that it names can be reached. A broker that starts is waited for.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Refusal(
            "--bus rocketmq needs --bus-url HOST:PORT, the address of a running name server"
            + (f"; got {address!r}" if address else "")
        )
    for broker in _masters(address):
        try:
            socket.create_connection(_pair(broker), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise Failure(
                f"RocketMQ's broker {broker}, named by {address}, does not answer ({error})"
            ) from None


def _masters(address: str) -> list[str]:
    give_up_at = time.monotonic() + REGISTERS_WITHIN_S
    try:
        while (masters := _registered(address)) is None and time.monotonic() < give_up_at:
            time.sleep(POLL_S)
        return masters or Admin(address).masters()
    except OSError as error:
        raise Failure(
            f"no RocketMQ name server answers at {address} ({error}); "
            "`just rocketmq up` starts one, see docs/operations.md"
        ) from None
    except RemotingError as error:
        raise Failure(f"the RocketMQ name server at {address} is of no use: {error}") from None


def _registered(address: str) -> list[str] | None:
    """Return the brokers that have registered, `None` while there is none."""
    try:
        return Admin(address).masters()
    except NoBrokerError:
        return None


def _pair(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
