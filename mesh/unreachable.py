"""Says why a relay can't be reached: dialling itself goes on without a word."""

import structlog
import trio

from backends.links.interface import Links

FIRST_S = 3.0
"""A relay that starts again is there before."""

AGAIN_S = 60.0

log = structlog.get_logger()


async def complain(links: Links, url: str) -> None:
    """Log why `url` can't be reached, after some seconds and again each minute, until cancelled."""
    await trio.sleep(FIRST_S)
    while True:
        reason = await links.explain(url) or "it answers, and its link does not come up"
        log.warning("relay_unreachable", url=url, reason=reason)
        await trio.sleep(AGAIN_S)
