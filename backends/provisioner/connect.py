"""The one way to a provisioner: `async with open_provisioner(settings, …) as provisioner`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx

from backends.http.client import HttpClient
from backends.leases.interface import Duties
from backends.provisioner.interface import Provisioner
from backends.provisioner.settings import ProvisionerSettings
from backends.provisioner.static import InUse, StaticPools
from backends.provisioner.webhook import WebhookPools


def reconfigure_provisioner(provisioner: Provisioner | None, settings: ProvisionerSettings) -> None:
    """Have `provisioner` take over the keys that reload: those of kind `webhook`."""
    if isinstance(provisioner, WebhookPools):
        provisioner.reconfigured(settings)


@asynccontextmanager
async def open_provisioner(
    settings: ProvisionerSettings, in_use: InUse, duties: Duties, now_s: Callable[[], float]
) -> AsyncIterator[Provisioner | None]:
    """Give the provisioner that `settings` names until the block ends; `None` for kind `none`.

    `in_use` returns the pools that rules name, `now_s` the Unix time.
    """
    if settings.kind == "static":
        yield StaticPools(settings.pools, in_use, duties)
    elif settings.kind == "webhook":
        async with httpx.AsyncClient(timeout=settings.timeout_s) as client:
            yield WebhookPools(settings, HttpClient(client, settings.timeout_s), now_s)
    else:
        yield None
