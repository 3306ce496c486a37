"""What a certificate of the mesh is called: the common name of its subject, `ROLE/NODE`."""

import re

from proto.ids import is_node

ANY_NODE = "*"
"""In place of a node's name: the certificate is for every node of its role."""

MAX_CHARS = 64
"""The most that a common name may have (X.520, ub-common-name)."""

_WORKER = re.compile(r"-w[1-9][0-9]*\Z")


def certificate_name(role: str, node: str) -> str:
    """Return what the certificate of `node`, or of `ANY_NODE`, is called.

    Raises `ValueError`, with a line for the user, for what can't be a node or is too long.
    """
    name = f"{role}/{node}"
    if node != ANY_NODE and not is_node(node):
        raise ValueError(f"expected 1 to 63 of the characters a-z 0-9 -, or *, got text {node!r}")
    if len(name) > MAX_CHARS:
        raise ValueError(f"{name} has {len(name)} characters, a certificate's name at most 64")
    return name


def covers(name: str, role: str, node: str) -> bool:
    """Say whether a certificate called `name` is for `node` as one of `role`: its own, that of the
    node whose worker (`NODE-w1`, …) it is, or one for every node of the role."""
    its_role, _, its_node = name.partition("/")
    return its_role == role and its_node in (ANY_NODE, node, _WORKER.sub("", node))
