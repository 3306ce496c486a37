"""The certificates of a local cluster: its own authority, in the state folder."""

from collections.abc import Iterable

import trio

from ops.certs.folder import Folder
from ops.cluster.plan import Node
from ops.errors import Failure, one_line
from ops.processes.child import Report

LOOK_S = 24 * 3600.0
"""A cluster may run for longer than a certificate."""


def prepare_certificates(folder: Folder, nodes: Iterable[Node]) -> None:
    """Give each of `nodes` a certificate, and a new one where little of its time is left.

    Raises `Failure` for an authority or a certificate in the folder that can't be used.
    """
    if not folder.has_authority:
        folder.init()
    folder.renew()
    present = {(each.role, each.node) for each in folder.issued()}
    for node in nodes:
        if (node.role, node.id) not in present:
            folder.issue(node.role, node.id)


async def keep_certificates(folder: Folder, report: Report) -> None:
    """Renew certificates in time, until cancelled; the nodes take them over by themselves."""
    while True:
        await trio.sleep(LOOK_S)
        try:
            await trio.to_thread.run_sync(folder.renew)
        except (Failure, OSError) as error:
            report(f"certificates are not renewed: {one_line(error)}")
