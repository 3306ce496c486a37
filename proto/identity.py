"""Who a node is: what every role is told about itself when it starts."""

import msgspec


class NodeIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One life of one node. A restart keeps `node` and gets a new `incarnation`."""

    node: str
    """Unique name in the cluster, such as `access-1`; it is the key that replies come back by."""

    region: str
    """The region it runs in; carriers of a room are preferred inside it."""

    incarnation: str
    """New at each start (`proto.ids.new_id`), as in headers and leases: equality alone counts."""

    http_url: str = ""
    """Base URL of its health and metrics server, empty where it has none."""
