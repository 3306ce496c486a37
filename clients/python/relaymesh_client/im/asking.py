"""How the requests of instant messages are made."""

import trio

from relaymesh_client.driver import Driver
from relaymesh_client.events import Frame

ASK_S = 30.0
"""Seconds for which a request is repeated, over reconnects, until it is answered."""


class Asking:
    """Makes requests by the driver; each may be repeated without harm."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def _ask(self, op: str, fields: Frame, timeout_s: float = ASK_S) -> Frame:
        self._driver.require_open()
        now = trio.current_time()
        ticket = self._driver.protocol.request(op, fields, now=now, give_up_s=timeout_s)
        return await self._driver.answer(ticket)

    def _new_mid(self) -> str:
        return self._driver.protocol.new_mid()
