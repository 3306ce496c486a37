"""The loop: ask, draw, wait, until somebody presses Ctrl-C."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live

from ops.errors import Failure
from ops.watch.picture import picture
from ops.watch.rates import Rates
from ops.watch.screen import away, screen

Ask = Callable[[], Mapping[str, Any]]


class Watch:
    """What one terminal shows: the last answer stays while the gateway is away."""

    def __init__(self, ask: Ask, height: Callable[[], int], now_s: Callable[[], float]) -> None:
        self._ask = ask
        self._height = height
        self._now_s = now_s
        self._rates = Rates()
        self._shown: RenderableType = ""
        self._answered_s: float | None = None

    def look(self) -> RenderableType:
        """Return what to show now."""
        try:
            status = self._ask()
        except Failure as error:
            since_s = None if self._answered_s is None else self._now_s() - self._answered_s
            return Group(away(str(error), since_s), self._shown)
        self._answered_s = self._now_s()
        self._shown = screen(picture(status, self._rates), self._height())
        return self._shown


def watch(
    ask: Ask, interval_s: float, console: Console, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Show what `ask` answers every `interval_s` seconds, until Ctrl-C."""
    seen = Watch(ask, lambda: console.height, time.monotonic)
    try:
        with Live(seen.look(), console=console, screen=True, auto_refresh=False) as live:
            while True:
                sleep(interval_s)
                live.update(seen.look(), refresh=True)
    except KeyboardInterrupt:
        return
