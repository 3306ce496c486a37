"""Who makes pools of dedicated access nodes; the config's keys are the names here."""

from typing import Annotated, Literal

import httpx
from msgspec import Meta, Struct

from proto.ids import POOL_PATTERN
from proto.settings_types import RELOADS, Secret

MIN_SECRET_BYTES = 32

PoolName = Annotated[str, Meta(pattern=POOL_PATTERN, examples=["spare-1"])]


class ProvisionerSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Dedicated access nodes for hot rooms (docs/provisioner.md)."""

    kind: Annotated[
        Literal["none", "static", "webhook"],
        Meta(
            description="`static`: nodes that always run, in the pools of `pools`; `webhook`: a"
            " server of yours starts and stops them; `none`, the default: there are none, and no"
            " room becomes hot."
        ),
    ] = "none"
    pools: Annotated[
        tuple[PoolName, ...],
        Meta(
            description="Kind `static`: the pools, as access nodes have them in `access.pool`. A"
            " hot room has one to itself, so there are as many hot rooms as pools."
        ),
    ] = ()
    url: Annotated[
        str,
        Meta(
            description="Kind `webhook`: where pools are asked for, as PUT and DELETE of"
            " URL/pools/POOL.",
            pattern=r"^(https?://\S+)?\Z",
            examples=["https://scaler.example/relaymesh"],
        ),
    ] = ""
    secret: Annotated[
        Secret,
        RELOADS,
        Meta(
            description="Kind `webhook`: key that requests are signed with (HMAC-SHA256), at least"
            " 32 bytes. No default: a known secret is none."
        ),
    ] = ""
    timeout_s: Annotated[
        float,
        Meta(
            description="Seconds for one request. 3: the server has only to take the order, nodes"
            " start after its answer.",
            gt=0,
            le=60,
        ),
    ] = 3.0
    give_up_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for a request and its repeats, after which the room stays as it is"
            " and is looked at again later. 10: a server that restarts is met again.",
            gt=0,
            le=300,
        ),
    ] = 10.0

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key which the kind lacks, or a pool named twice."""
        twice = sorted({pool for pool in self.pools if self.pools.count(pool) > 1})
        if twice:
            raise ValueError(f"pools: {twice[0]} is named twice")
        if self.kind == "static" and not self.pools:
            raise ValueError("pools: name at least one with kind `static`")
        if self.kind == "webhook" and not self.url:
            raise ValueError("url: must be given with kind `webhook`")
        _refuse_bad_url(self.url)
        if self.kind == "webhook" and len(self.secret.encode()) < MIN_SECRET_BYTES:
            raise ValueError(
                f"secret: with kind `webhook` set one of at least {MIN_SECRET_BYTES} bytes: it"
                " signs what is asked for"
            )


def _refuse_bad_url(url: str) -> None:
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"url: {url} is none: {error}") from None
