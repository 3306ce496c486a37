"""The picture of a run: where the viewers are over time, and the room's states behind them."""

from pathlib import Path
from typing import Any

import click

from bench.hot_room.heat_log import HeatLog

COLOURS = {
    "normal": "#ffffff",
    "preparing": "#fff3c4",
    "moving": "#ffd9a0",
    "hot": "#ffc2b3",
    "cooling": "#cfe8ff",
}


def plot(log: HeatLog, file: Path) -> None:
    """Write the picture to `file` (SVG, PNG or PDF, by its name).

    Raises `ClickException` where matplotlib is missing or `file` can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise click.ClickException(
            "--plot needs matplotlib: pip install 'relaymesh[plot]'"
        ) from None
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    _states(axes, log)
    times = [sample.at_s for sample in log.samples]
    axes.plot(times, [s.ordinary for s in log.samples], label="on ordinary nodes", color="#35608a")
    axes.plot(times, [s.dedicated for s in log.samples], label="on dedicated", color="#c0392b")
    axes.set(xlabel="seconds", ylabel="viewers", xlim=(0, times[-1]), ylim=(0, None))
    axes.legend(loc="lower left", ncols=7, fontsize="small", bbox_to_anchor=(0, 1.0), frameon=False)
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"--plot {file}: {error}") from None


def _states(axes: Any, log: HeatLog) -> None:
    ends = [at_s for _, at_s in log.entered[1:]] + [log.samples[-1].at_s]
    named: set[str] = set()
    for (state, began_s), end_s in zip(log.entered, ends, strict=True):
        label = None if state in named else state
        axes.axvspan(began_s, end_s, color=COLOURS[state], label=label)
        named.add(state)
