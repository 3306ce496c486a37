"""Which relays a node dials: a set of addresses that may change while the node runs."""

from collections.abc import Awaitable, Callable, Iterable

import structlog
import trio

from mesh.addresses import LaneUrls, lane_urls

Work = Callable[[LaneUrls], Awaitable[None]]

log = structlog.get_logger()


class Dialling:
    """One task for each address: `keep` keeps the link for ever, and is cancelled once `part` has
    come to an end after the address was taken out of the set. One that is put back before that is
    dialled when it has: two links of one node to one relay would cut each other again and again."""

    def __init__(self, keep: Work, part: Work) -> None:
        self._keep = keep
        self._part = part
        self._nursery: trio.Nursery | None = None
        self._tasks: dict[LaneUrls, trio.CancelScope] = {}
        self._parting: dict[LaneUrls, trio.Event] = {}

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Dial until cancelled, from the start what `use` was given before."""
        async with trio.open_nursery() as self._nursery:
            for urls, scope in self._tasks.items():
                self._nursery.start_soon(self._kept, urls, scope)
            task_status.started()
            await trio.sleep_forever()

    def use(self, addresses: Iterable[str]) -> None:
        """Dial `addresses` and no others from now on; those that stay are not touched.

        Raises `BadAddressError`, and changes nothing, where one is none.
        """
        wanted = {lane_urls(address): None for address in addresses}
        for urls in [each for each in self._tasks if each not in wanted]:
            self._remove(urls)
        for urls in [each for each in wanted if each not in self._tasks]:
            self._add(urls)

    def _add(self, urls: LaneUrls) -> None:
        scope = self._tasks[urls] = trio.CancelScope()
        if self._nursery is not None:
            log.info("relay_added", url=urls[0])
            self._nursery.start_soon(self._kept, urls, scope)

    def _remove(self, urls: LaneUrls) -> None:
        scope = self._tasks.pop(urls)
        if self._nursery is not None:
            log.info("relay_removed", url=urls[0])
            self._parting.setdefault(urls, trio.Event())
            self._nursery.start_soon(self._parted, urls, scope)

    async def _kept(self, urls: LaneUrls, scope: trio.CancelScope) -> None:
        with scope:
            while (parting := self._parting.get(urls)) is not None:
                await parting.wait()
            await self._keep(urls)

    async def _parted(self, urls: LaneUrls, scope: trio.CancelScope) -> None:
        await self._part(urls)
        scope.cancel()
        self._parting.pop(urls, trio.Event()).set()
