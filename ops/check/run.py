"""The run: meet every node, then one check after the other."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import trio
import trio_websocket as tws

from ops.check import back_ends, messages, moderation, refusals, rooms
from ops.check.cluster import Gateway, Receipts, Tokens
from ops.check.report import Check, CheckFailedError, Report
from ops.check.stage import Stage
from ops.check.visitor import Visitor, visitor
from ops.errors import root_cause
from relaymesh_client import RelaymeshError

CHECK_S = 30.0
ASK_TIMES = 5
"""The gateway names a few nodes at a time: asking again shows the others."""

CheckFunction = Callable[[Stage], Awaitable[str]]

CHECKS: tuple[CheckFunction, ...] = (
    messages.hello_answers_with_heads,
    rooms.online_counts_everybody,
    messages.chat_reaches_every_node,
    messages.text_arrives_unchanged,
    messages.hundred_arrive_in_order,
    messages.host_speech_is_urgent,
    messages.speech_is_refused_for_viewers,
    messages.same_mid_is_published_once,
    moderation.mute_holds_until_it_is_taken_back,
    moderation.viewers_cannot_moderate,
    rooms.likes_are_counted_exactly,
    rooms.late_joiner_gets_history,
    rooms.fetch_repeats_the_stream,
    rooms.resume_on_another_node,
    refusals.bad_tokens_are_refused,
    refusals.bad_frames_are_named,
    refusals.first_frame_must_be_hello,
    refusals.subprotocol_is_required,
    back_ends.viewers_cannot_publish_by_http,
    back_ends.status_shows_every_node,
)
GIFTS: tuple[CheckFunction, ...] = (
    messages.small_gift_is_normal,
    messages.big_gift_is_urgent,
    messages.gift_without_receipt_is_refused,
)
"""Checks that need receipts: of the platform's secret, or of a demo."""
WITH_SECRET: tuple[CheckFunction, ...] = (
    back_ends.server_publishes_to_a_room,
    back_ends.server_publishes_to_a_user,
)
"""Checks that need a back end's token, which only the cluster's secret makes."""


async def run(gateway: Gateway, secret: str, receipt_secret: str = "") -> Report:
    """Return what the cluster behind `gateway` does; raises `Failure` when nothing answers."""
    report = Report()
    await gateway.reachable()
    tokens, receipts = Tokens(gateway, secret), Receipts(gateway, receipt_secret)
    try:
        async with _stage(gateway, tokens, receipts, report) as stage:
            found = f"a client on each of {', '.join(stage.nodes)}, and a host"
            report.checks.append(Check("connect_to_every_node", True, found))
            for check in await _checks(stage):
                report.checks.append(await _outcome(check, stage))
            for each in stage.everybody:
                report.latencies_ms["bulk"] += each.bulk_ages_ms
    except Exception as error:
        words = _words(root_cause(error))
        report.checks.append(Check("stay_connected_to_every_node", False, words))
    return report


async def _checks(stage: Stage) -> tuple[CheckFunction, ...]:
    gives = await stage.receipts.available(stage.viewers[0].client.session.uid)
    publishes = stage.tokens.can_mint
    return CHECKS + (GIFTS if gives else ()) + (WITH_SECRET if publishes else ())


@asynccontextmanager
async def _stage(
    gateway: Gateway, tokens: Tokens, receipts: Receipts, report: Report
) -> AsyncIterator[Stage]:
    room = f"check-{secrets.token_hex(4)}"
    async with AsyncExitStack() as leaving:
        nodes = await _nodes(gateway, tokens, room)
        viewers = [
            await leaving.enter_async_context(await _viewer(tokens, room, node, url))
            for node, url in nodes.items()
        ]
        token = await tokens.host("host", room)
        node, url = next(iter(nodes.items()))
        host = await leaving.enter_async_context(visitor("host", node, url, token, room))
        _require_own_node([*viewers, host])
        yield Stage(gateway, tokens, receipts, room, nodes, viewers, host, report)


async def _viewer(
    tokens: Tokens, room: str, node: str, url: str
) -> AbstractAsyncContextManager[Visitor]:
    name = f"viewer-{node}"
    return visitor(name, node, url, await tokens.viewer(name, room), room)


async def _nodes(gateway: Gateway, tokens: Tokens, room: str) -> dict[str, str]:
    nodes: dict[str, str] = {}
    for number in range(ASK_TIMES):
        token = await tokens.viewer(f"scout-{number}", room)
        nodes |= await gateway.endpoints(token, room)
    if not nodes:
        raise CheckFailedError("the gateway knows no access node")
    return dict(sorted(nodes.items()))


def _require_own_node(visitors: list[Visitor]) -> None:
    for each in visitors:
        told = each.client.session.node
        if told != each.node:
            raise CheckFailedError(f"{each.url} should be {each.node} and says {told}")


async def _outcome(check: CheckFunction, stage: Stage) -> Check:
    try:
        with trio.fail_after(CHECK_S):
            return Check(check.__name__, True, await check(stage))
    except Exception as error:
        return Check(check.__name__, False, _words(root_cause(error)))


def _words(error: BaseException) -> str:
    """Return what `error` tells about the cluster; raises it when it tells about this program."""
    text = str(error).partition("\n")[0]
    if isinstance(error, CheckFailedError | RelaymeshError):
        return text
    if isinstance(error, trio.TooSlowError):
        return f"took longer than {CHECK_S:g} s"
    if isinstance(error, OSError | tws.HandshakeError | tws.ConnectionClosed):
        return f"{type(error).__name__}: {text}"
    if isinstance(error, LookupError | TypeError | ValueError):
        return f"an answer was not as the protocol says: {type(error).__name__}: {text}"
    raise error
