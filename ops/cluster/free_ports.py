"""A look at the ports before anything starts."""

import errno
import socket

from ops.cluster.plan import LOOPBACK, Plan
from ops.errors import Failure


def require_free_ports(plan: Plan) -> None:
    """Raise `Failure` that names the first port of `plan` that can't be listened at."""
    for name, port in plan.listeners:
        reason = _obstacle(port)
        if reason:
            raise Failure(f"port {port} ({name}) {reason}; choose other ports with --port-base N")


def _obstacle(port: int) -> str | None:
    with socket.socket() as probe:
        # As servers do: connections of a cluster that has just ended don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is in use"
            return f"can't be used ({error.strerror})"
    return None
