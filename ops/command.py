"""The `relaymesh` command: a table of subcommands, each imported when it is called."""

import sys

import click

from ops.errors import one_line
from ops.lazy_group import LazyGroup, Subcommand

SUBCOMMANDS = {
    "up": Subcommand("ops.commands.up:command", "Start a local cluster and look after it."),
    "status": Subcommand("ops.commands.status:command", "Show what a running cluster is doing."),
    "check": Subcommand("ops.check:command", "Join a running cluster and verify what it delivers."),
    "drain": Subcommand("ops.commands.drain:command", "Have a node hand over its work and end."),
    "room": Subcommand("ops.commands.room:command", "See and decide whether a room is hot."),
    "token": Subcommand("ops.commands.token:command", "Mint a token for a client."),
    "receipt": Subcommand("ops.commands.receipt:command", "Mint the receipt of a gift."),
    "certs": Subcommand("ops.certs.cli:command", "Make and renew the nodes' certificates."),
    "account": Subcommand("ops.commands.account:command", "Revoke users and logins."),
    "api-key": Subcommand("ops.commands.api_key:command", "Make keys for back ends."),
    "database": Subcommand("ops.commands.database:command", "Look after the database's tables."),
    "config": Subcommand("ops.commands.config:command", "Check and show config files."),
    "access": Subcommand("ops.commands.role:access", "Run one access node."),
    "relay": Subcommand("ops.commands.role:relay", "Run one relay."),
    "router": Subcommand("ops.commands.role:router", "Run one router with its gateway."),
    "logic": Subcommand("ops.commands.role:logic", "Run one logic node."),
    "simulate": Subcommand(
        "ops.commands.simulate:command", "Reckon what a deployment of any size holds and uses."
    ),
    "bench": Subcommand("ops.command:bench", "Measure parts of the mesh, or all of it."),
    "chaos": Subcommand("ops.command:chaos", "Kill processes while viewers watch."),
    "demo": Subcommand("ops.command:demo", "See what the cluster does, with a crowd."),
}
BENCHES = {
    "idle": Subcommand("bench.edge.idle:command", "Connections that say nothing."),
    "tls": Subcommand("bench.tls.cli:command", "TLS at the node, and at a proxy before it."),
    "slow": Subcommand("bench.edge.slow:command", "Clients that stop reading at full load."),
    "edge": Subcommand("bench.edge.cli:command", "One access node: fan-out, memory, connects."),
    "compression": Subcommand(
        "bench.compression:command", "Bytes and CPU of a delivery, plain and compressed."
    ),
    "hop": Subcommand("bench.hop:command", "One hop through a relay, and a direct one."),
    "links": Subcommand("bench.links:command", "Links of a full mesh, and by relays."),
    "scale": Subcommand("bench.scale:command", "A small deployment, and the simulation of it."),
    "copies": Subcommand("bench.copies:command", "Copies of precise delivery and broadcast."),
    "ways": Subcommand("bench.ways:command", "Copies by the ordinary way and the hot one."),
    "likes": Subcommand("bench.likes:command", "A million likes on one room."),
    "isolation": Subcommand("bench.isolation:command", "Urgent messages under a flood of others."),
    "storm": Subcommand("bench.storm:command", "Everybody connects at once while a room goes on."),
    "im": Subcommand("bench.im.cli:command", "Instant messages through the whole cluster."),
    "sessions": Subcommand("bench.sessions:command", "Pages of the session list under writes."),
    "room": Subcommand("bench.room:command", "A live room through the whole mesh."),
}
DEMOS = {
    "hot-room": Subcommand("bench.hot_room.cli:command", "A room becomes hot, moves, and cools."),
}
CHAOS = {
    "room": Subcommand("bench.chaos.room:command", "Kill parts of the cluster under a live room."),
    "im": Subcommand("bench.chaos.im:command", "Kill parts of the cluster under instant messages."),
    "hot-room": Subcommand("bench.chaos.hot_room:command", "Kill parts while a room moves."),
    "overload": Subcommand("bench.chaos.overload:command", "Flood the cluster, slow a node."),
    "revoke": Subcommand("bench.chaos.revoke:command", "Revoke users while a relay is killed."),
    "rolling": Subcommand("bench.chaos.rolling:command", "Restart every node, one by one."),
}

relaymesh = LazyGroup("relaymesh", SUBCOMMANDS, "A cluster for instant messages and live rooms.")
bench = LazyGroup("bench", BENCHES, SUBCOMMANDS["bench"].summary)
demo = LazyGroup("demo", DEMOS, SUBCOMMANDS["demo"].summary)
chaos = LazyGroup("chaos", CHAOS, SUBCOMMANDS["chaos"].summary)
click.version_option(package_name="relaymesh")(relaymesh)


def main() -> None:
    """Run the command line; whatever goes wrong, a user sees one line and no traceback.

    `python -X dev -m ops …` shows the traceback of an error that nobody foresaw.
    """
    try:
        relaymesh(prog_name="relaymesh")
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        click.echo(f"Error: {one_line(error)}", err=True)
        sys.exit(1)
