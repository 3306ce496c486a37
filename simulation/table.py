"""The figures as tables for eyes."""

from collections.abc import Iterator, Mapping
from typing import Any

from simulation.copies import TIERS


def readable(result: Mapping[str, Any]) -> str:
    """Return what `relaymesh simulate` prints without `--json`."""
    parts = (_head, _links, _copies, _load, _latency, _heat, _loss)
    return "\n".join(line for part in parts for line in part(result))


def _head(result: Mapping[str, Any]) -> Iterator[str]:
    of = result["deployment"]
    where = f" in each of {of['regions']} regions" if of["regions"] > 1 else ""
    yield (
        f"{of['clients']:,} clients in {of['rooms']:,} rooms, {of['access']:,} access nodes, "
        f"{of['routers']:,} routers, {of['logic']:,} logic nodes, "
        f"{of['relays']} relays{where}"
    )


def _links(result: Mapping[str, Any]) -> Iterator[str]:
    links = result["links"]
    node = links["per_node"]
    yield (
        f"links: {links['held']:,} held ({links['between_regions']:,} between regions, "
        f"{links['logic']:,} more for logic), {links['full_mesh']:,} in a full mesh"
    )
    yield (
        f"  a node: access {node['access']}, router {node['router']}, relay {node['relay']}; "
        f"in a full mesh access {node['full_mesh_access']:,}, router {node['full_mesh_router']:,}"
    )


def _copies(result: Mapping[str, Any]) -> Iterator[str]:
    copies, of_bytes = result["copies"], result["bytes"]
    row = "  {:<16} {:>14} {:>14} {:>16} {:>12}"
    yield f"copies of room messages, {copies['messages_per_s']:,.0f} a second:"
    yield row.format("", "each, mean", "largest room", "all, a second", "MB/s")
    for tier in TIERS:
        yield row.format(
            tier.replace("_", " → "),
            f"{copies['per_message'][tier]:,.2f}",
            f"{copies['largest_room'][tier]:,}",
            f"{copies['per_s'][tier]:,}",
            f"{of_bytes['per_s'][tier] / 1e6:,.1f}",
        )
    heads = sum(copies["heads_per_s"].values())
    yield f"  heads: {heads:,} copies a second, {of_bytes['heads_per_s'] / 1e6:,.1f} MB/s"
    im = copies["im"]
    yield (
        f"  instant messages: {im['per_s']:,.0f} a second, each {im['router_relay']} to relays, "
        f"{im['relay_access']} to nodes, {im['mailbox_rows']} rows"
    )


def _load(result: Mapping[str, Any]) -> Iterator[str]:
    row = "  {:<10} {:>8} {:>8} {:>9} {:>8}  {}"
    yield "load, as shares of a core:"
    yield row.format("", "nodes", "share", "busiest", "needed", "most of it")
    for name, tier in result["load"].items():
        parts = sorted(tier["parts"].items(), key=lambda part: -part[1])[:3]
        most = ", ".join(f"{part} {share:.3f}" for part, share in parts)
        yield row.format(
            name,
            f"{tier['nodes']:,}",
            f"{tier['share']:.3f}",
            f"{tier['busiest']:.3f}",
            f"{tier['needed']:,}",
            most,
        )
    bends = ", ".join(f"{each['tier']} ({each['mostly']})" for each in result["bends"])
    yield f"  bends first: {bends or 'nothing is over 0.7'}"


def _latency(result: Mapping[str, Any]) -> Iterator[str]:
    latency = result["latency_ms"]
    as_given = "" if latency["as_given"] else ", with as many nodes as are needed"
    yield f"latency in ms from a sender to a viewer{as_given}:"
    for label, of in latency.items():
        if isinstance(of, dict):
            yield f"  {label:<7} p50 {of['p50']:>8}   p99 {of['p99']:>8}"


def _heat(result: Mapping[str, Any]) -> Iterator[str]:
    heat = result["heat"]
    yield (
        f"hot rooms: {heat['over_threshold']:,} over the threshold, {heat['hot']:,} moved to "
        f"{heat['dedicated_nodes']:,} nodes, {heat['no_capacity']:,} found none"
    )
    if heat["hot"]:
        yield (
            f"  {heat['moves']:,} moves, at most {heat['moves_per_s']:,} a second; a room takes "
            f"{heat['moving_s']['p50']:,.0f} s, the largest {heat['moving_s']['max']:,.0f} s"
        )


def _loss(result: Mapping[str, Any]) -> Iterator[str]:
    loss = result["loss"]
    relay, added, access = loss["relay"], loss["relay_added"], loss["access"]
    router, region = loss["router"], loss["region"]
    yield "lost:"
    yield (
        f"  a relay   {relay['rooms_moved']:.1%} of the rooms get another carrier "
        f"(1/k: {relay['expected']:.1%}), nobody reconnects, whole after {_seconds(relay)}"
    )
    yield f"  …added    {added['rooms_moved']:.1%} move to it (1/(k+1): {added['expected']:.1%})"
    yield (
        f"  a node    {access['clients_reconnect']:,} clients reconnect "
        f"({access['share']:.2%}), whole after {_seconds(access)}"
    )
    yield (
        f"  a router  {router['heads_moved']:.1%} of the heads get another "
        f"(1/R: {router['expected']:.1%}), nobody reconnects, whole after {_seconds(router)}"
    )
    yield (
        f"  a region  {region['clients_reconnect']:,} clients and "
        f"{region['rooms_unreachable']:.1%} of the rooms (1/G: {region['expected']:.1%}), with "
        f"{region['viewers_elsewhere_cut_off']:,} viewers elsewhere"
    )


def _seconds(loss: Mapping[str, Any]) -> str:
    process, host = loss["repair_s"]["process"], loss["repair_s"]["host"]
    return "never: it was the only one" if process is None else f"{process} s (a host: {host} s)"
