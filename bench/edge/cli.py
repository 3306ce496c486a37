"""The command line of `relaymesh bench edge`."""

import signal
import sys
from types import FrameType

import click

from bench.edge.measure import QUICK, THOROUGH, measure
from bench.edge.serve import serve
from bench.room import print_result


@click.command("edge")
@click.option("--connections", default=1000, show_default=True, type=click.IntRange(100, 15_000))
@click.option("--quick", is_flag=True, help="One short run a figure: less than 50 s in all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--serve", "serving", is_flag=True, help="Feed a node until Ctrl-C; measure nothing.")
@click.option(
    "--rate",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1, 10_000),
    help="Messages a second with --serve.",
)
def command(connections: int, quick: bool, as_json: bool, serving: bool, rate: float) -> None:
    """Measure one access node: fan-out, memory, clients' frames, connects."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    if serving:
        try:
            serve(rate)
        except KeyboardInterrupt:
            sys.exit(0)
    print_result(measure(connections, QUICK if quick else THOROUGH), as_json)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # also for SIGTERM, and where a shell ignores SIGINT: all parts end
