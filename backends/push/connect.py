"""Opens the providers that the settings name."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from backends.http.client import HttpClient
from backends.push.fcm import Fcm
from backends.push.google_token import ServiceAccount, read_account
from backends.push.interface import Provider
from backends.push.settings import FcmSettings, WebhookSettings
from backends.push.webhook import Webhook

MAX_CONNECTIONS = 64
KEPT_S = 30.0


def reconfigure_providers(
    providers: Mapping[str, Provider], fcm: FcmSettings, webhook: WebhookSettings
) -> None:
    """Have the providers sign with the secrets and key files as they are now.

    Raises `ValueError`, and changes nothing, for a key file that is none.
    """
    account = _account(fcm) if "fcm" in providers else None
    for provider in providers.values():
        if isinstance(provider, Webhook):
            provider.settings = webhook
        elif isinstance(provider, Fcm) and account is not None:
            provider.use(account)


@asynccontextmanager
async def open_providers(
    fcm: FcmSettings, webhook: WebhookSettings, timeout_s: float, now_s: Callable[[], float]
) -> AsyncIterator[Mapping[str, Provider]]:
    """Give the providers by their names in `device_set`, until the block ends.

    Raises `ValueError` for a key file that is none; it names the setting.
    """
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEPT_S)
    async with httpx.AsyncClient(timeout=timeout_s, limits=limits) as client:
        yield _providers(fcm, webhook, HttpClient(client, timeout_s), now_s)


def _providers(
    fcm: FcmSettings, webhook: WebhookSettings, http: HttpClient, now_s: Callable[[], float]
) -> Mapping[str, Provider]:
    found: dict[str, Provider] = {}
    if fcm.account_file:
        found["fcm"] = Fcm(fcm, _account(fcm), http, now_s)
    if webhook.url:
        found["webhook"] = Webhook(webhook, http, now_s)
    return found


def _account(fcm: FcmSettings) -> ServiceAccount:
    try:
        return read_account(fcm.account_file)
    except ValueError as error:
        raise ValueError(f"logic.push.fcm.account_file: {error}") from None
