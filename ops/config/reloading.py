"""Reloads the config of a running node, and keeps what came of it for whoever looks."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import structlog
import trio

from ops.config.following import File, follow
from ops.config.load import NodeConfig
from ops.config.reload import Reload, postponed, reload
from ops.errors import Refusal, one_line
from ops.logging import set_level
from ops.roles import Service
from proto.settings_types import RestartNeededError

Load = Callable[[], NodeConfig]
"""Reads the whole config anew, and the files that it names; raises `Refusal`."""
Outcome = Literal["taken_over", "restart_needed", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("taken_over", "restart_needed", "refused")

log = structlog.get_logger()


class Reloading:
    """The config of a node as it is in effect; `path` is the file's, `None` where there is none."""

    def __init__(self, config: NodeConfig, path: Path | None, load: Load) -> None:
        self.config = config
        self.waiting: tuple[str, ...] = ()
        """Keys that the last good config has otherwise, and that take a restart."""
        self.refused = ""
        """Why the last config could not be used; empty where it could."""
        self.outcomes: Counter[Outcome] = Counter()
        self._path = path
        self._file = File(path) if path else None
        self._load = load

    async def follow(self, service: Service) -> None:
        """Reload on SIGHUP and when the file changes, until cancelled."""
        await follow(self._file, lambda: self.reload(service), getattr(service, "hung_up", None))

    async def reload(self, service: Service) -> None:
        """Check the whole config, then have `service` take it over; a bad one changes nothing."""
        try:
            found = await trio.to_thread.run_sync(lambda: reload(self.config, self._load()))
            self._take(found, service)
        except Exception as error:  # The node goes on as it is, whatever is wrong with a config.
            self._refuse(error)

    def status(self) -> dict[str, Any]:
        """Return what `/statusz` shows of it."""
        reloads = {outcome: self.outcomes[outcome] for outcome in OUTCOMES}
        return {"reloads": reloads, "restart_needed": self.waiting, "refused": self.refused}

    def _take(self, found: Reload, service: Service) -> None:
        found = self._handed_on(found, service)
        self.config, self.waiting, self.refused = found.config, found.waiting, ""
        self.outcomes["restart_needed" if found.waiting else "taken_over"] += 1
        log.info("config_reloaded", keys=found.taken, **self._where())
        if found.waiting:
            more = {"reason": found.reason} if found.reason else {}
            log.warning("restart_needed", keys=found.waiting, **more, **self._where())
        set_level(found.config.log.level)  # Last, so that these lines go by the level before.

    def _handed_on(self, found: Reload, service: Service) -> Reload:
        take = getattr(service, "reconfigured", None)
        try:
            if take is not None:
                take(found.config.own)
        except RestartNeededError as error:
            return postponed(found, self.config, str(error))
        return found

    def _refuse(self, error: Exception) -> None:
        foreseen = isinstance(error, Refusal | ValueError | OSError)
        self.refused = "; ".join(error.message.splitlines()) if isinstance(error, Refusal) else ""
        self.refused = self.refused or one_line(error)
        self.outcomes["refused"] += 1
        traceback = None if foreseen else error
        log.error("config_refused", reason=self.refused, exc_info=traceback, **self._where())

    def _where(self) -> dict[str, str]:
        return {"file": str(self._path)} if self._path else {}
