"""Runs several regions until Ctrl-C: `python -m bench.regions --place loopback|netns`."""

import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
import trio

from bench.regions.description import Description
from bench.regions.loopback import Loopback
from bench.regions.namespaces import CANNOT, CannotError, Namespaces
from bench.regions.place import Place, PlaceError
from bench.regions.world import World, running_world
from proto.regions import Regions

PLACES: dict[str, Callable[[Description], Place]] = {"loopback": Loopback, "netns": Namespaces}


@click.command()
@click.option("--place", "kind", type=click.Choice(list(PLACES)), default="loopback")
@click.option("--regions", default="eu,us,ap", show_default=True, help="Names, with commas.")
@click.option("--im", default="", help="Region of the database; the first if not given.")
def command(kind: str, regions: str, im: str) -> None:
    """Run several regions on this machine until Ctrl-C."""
    description = _described(regions, im)
    try:
        with tempfile.TemporaryDirectory(prefix="relaymesh-") as folder:
            place = PLACES[kind](description)
            with running_world(description, place, Path(folder)) as world:
                trio.run(_run, world, folder)
    except CannotError as error:
        click.echo(str(error), err=True)
        raise SystemExit(CANNOT) from None
    except PlaceError as error:
        raise click.ClickException(str(error)) from None


def _described(regions: str, im: str) -> Description:
    """Return the description; raises `click.BadParameter` for names that nodes would refuse."""
    names = tuple(name.strip() for name in regions.split(","))
    found = Description(names=names, im=im or names[0])
    try:
        msgspec.convert({"names": found.names, "im": found.im}, Regions)
    except msgspec.ValidationError as error:
        raise click.BadParameter(str(error)) from None
    return found


async def _run(world: World, folder: str) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await world.ready()
        await world.linked()
        click.echo(f"configs and logs: {folder}")
        for region in world.description.names:
            click.echo(
                f"{region}  gateway {world.gateway(region)}  {' '.join(world.access(region))}"
            )
        click.echo(f"a token for ann, an hour long: {world.token('ann')}")
        async for _ in signals:
            return


if __name__ == "__main__":
    command()
