"""What a running node goes by, for each key that reloads.

Whoever marks a key as `RELOADS` says here where that is seen: for the key or, where a part holds a
whole table, for the table. A new key without that fails `test_keys.py`.
"""

from collections.abc import Callable
from typing import Any

import ops.logging
from proto.priorities import Priority
from proto.services import SERVICE_IM, SERVICE_LOGIC
from proto.token_keys import Keyring

Look = Callable[[Any], Any]
"""Takes the running service, and returns what it goes by."""
Looks = dict[str, Look]


def secrets(ring: Keyring) -> list[str]:
    return [key.signing.decode() for key in ring.keys if isinstance(key.signing, bytes)]


def keys(table: str, ring: Look) -> Looks:
    """What names keys that verify, in the keyring that it becomes."""
    return {
        f"{table}.secret": lambda it: secrets(ring(it))[0],
        f"{table}.previous_secret": lambda it: secrets(ring(it))[1],
        f"{table}.key_files": lambda it: [each.kid for each in ring(it).keys],
        f"{table}.jwks_file": lambda it: [each.kid for each in ring(it).keys],
        f"{table}.algorithms": lambda it: {each.algorithm for each in ring(it).keys},
        f"{table}.issuers": lambda it: ring(it).issuers,
    }


def tokens(table: str, verifying: Look, own: Look) -> Looks:
    """The table `tokens`: the secrets are the cluster's own keys too."""
    both = {
        f"{table}.secret": lambda it: {secrets(verifying(it))[0], secrets(own(it))[0]},
        f"{table}.previous_secret": lambda it: {secrets(verifying(it))[1], secrets(own(it))[1]},
    }
    return keys(table, verifying) | both


def mesh(table: str, node: Look) -> Looks:
    return {
        f"{table}.relays": lambda it: [urls[0] for urls in node(it)._dialling._tasks],
        f"{table}.max_requests": lambda it: node(it).requests.limit,
        f"{table}.": lambda it: node(it)._settings,
    }


def bounds(table: str, serving: Look) -> Looks:
    return {
        f"{table}.at_work": lambda it: {work._most for work in serving(it).turns._work},
        f"{table}.waiting": lambda it: serving(it).turns._bounds.waiting,
        f"{table}.wait_s": lambda it: serving(it).turns._bounds.wait_s,
        f"{table}.target_ms": lambda it: serving(it).turns._work[Priority.BULK]._target_s * 1000,
    }


def rates(table: str, names: dict[str, tuple[str, int]]) -> Looks:
    """Rates by the name of their key: which limit goes by it, and the seconds that it counts."""
    looks: Looks = {}
    for name, (limit, per_s) in names.items():
        looks[f"{table}.{name}"] = lambda it, limit=limit, per_s=per_s: (
            it.auth.own.throttle.limits[limit].rate.per_s * per_s
        )
        burst = f"{table}.{name.rpartition('_per_')[0]}_burst"
        looks[burst] = lambda it, limit=limit: it.auth.own.throttle.limits[limit].rate.burst
    return looks


def rate(keys: str, found: Look) -> Looks:
    return {
        f"{keys}_per_s": lambda it: found(it).per_s,
        f"{keys}_burst": lambda it: found(it).burst,
    }


def level(_: Any) -> str:
    number = ops.logging._Logger.get_effective_level(None)  # type: ignore[attr-defined]
    return {20: "info", 10: "debug", 30: "warning", 40: "error"}[number]


EVERY = {"log.level": level}

ACCESS = {
    **EVERY,
    **tokens("access.tokens", lambda it: it.node.keyring, lambda it: it.node.moving.tickets._own),
    **mesh("access.mesh", lambda it: it.node.mesh),
    "access.move_grace_s": lambda it: it.node.moving._moves.grace_s,
    "access.route_wait_s": lambda it: it.node.sessions._parts.hellos.route_wait_s,
    "access.drain_s": lambda it: it.node.settings.drain_s,
    "access.chat_under_way": lambda it: it.node.chat._most,
    "access.chat_target_ms": lambda it: it.node.chat._target_s * 1000,
    "access.client.expiry_warning_s": lambda it: it.node.expiry.warning_s,
    "access.client.": lambda it: it.node.sessions._limits,
    **rate("access.client.frames", lambda it: it.node.sessions._limits.frames),
    **rate("access.client.joins", lambda it: it.node.sessions._limits.joins),
    "access.user.max_connections": lambda it: it.node.user_connections.most,
    **rate("access.user.frames", lambda it: it.node.rates.frames.rate),
    **rate("access.user.joins", lambda it: it.node.rates.joins.rate),
    "access.edge.request.": lambda it: it._server.settings,
    "access.edge.request.max_bytes": lambda it: it._server.settings.max_request_bytes,
    "access.edge.inbound.max_fragments": lambda it: it._server.settings.max_fragments,
    **rate("access.edge.inbound.bytes", lambda it: it._server.settings.inbound_bytes),
    **rate("access.edge.inbound.pings", lambda it: it._server.settings.pings),
    "access.edge.address.": lambda it: it._server.addresses._limits,
    **rate("access.edge.address.handshakes", lambda it: it._server.addresses._handshakes.rate),
    **rate("access.edge.address.failures", lambda it: it._server.addresses._failures.rate),
    "access.room.": lambda it: it.node.rooms.settings,
    "access.im.max_devices": lambda it: it.node.messaging.devices.max_devices,
    "access.edge.": lambda it: it._server.settings,
    "access.edge.max_connections": lambda it: {
        it._server.settings.max_connections,
        it.status()["max_connections"],
    },
    "access.edge.max_opening": lambda it: it._server.places.most,
    "access.edge.opening_turn_ms": lambda it: it._server.paces[0].turn_s * 1000,
    "access.edge.opening_wait_ms": lambda it: it._server.paces[0].wait_s * 1000,
    "access.edge.retry_spread_s": lambda it: len(it._server._refusals._answers),
    "access.edge.handshake_s": lambda it: it._server.settings.handshake_timeout_s,
    "access.edge.allowed_origins": lambda it: it._server.settings.allowed_origins,
}
RELAY = {
    **EVERY,
    "relay.peer_urgent_bytes": lambda it: _lanes(it, Priority.URGENT),
    "relay.peer_lane_bytes": lambda it: _lanes(it, Priority.NORMAL) | _lanes(it, Priority.BULK),
    "relay.stuck_s": lambda it: it._relay.seating.settings.stuck_s,
    "relay.max_outstanding": lambda it: {
        it._relay.forwarding.admission.limit,
        *(each.limit for each in it._relay.forwarding.crossing._asked.values()),
    },
    "relay.links": lambda it: [
        {"region": name, "relays": [urls[0] for urls in link._dialling._tasks]}
        for name, link in it._relay.region_links.items()
    ],
}
ROUTER = {
    **EVERY,
    **tokens("router.tokens", lambda it: it._gateway._keyring, lambda it: it._gateway._own),
    **mesh("router.mesh", lambda it: it._parts.mesh),
    "router.costs.": lambda it: it._deliverer.costs,
    "router.gateway.": lambda it: it._gateway._current(),
    "router.gateway.api_keys_file": lambda it: list(it._gateway.api_keys._keys),
    "router.gateway.max_requests": lambda it: it._gateway.guard.most,
    "router.gateway.address.": lambda it: it._gateway._current().address,
    **rate("router.gateway.address.requests", lambda it: it._gateway.guard._requests.rate),
    **rate("router.gateway.address.failures", lambda it: it._gateway.guard._failures.rate),
    "router.heat.": lambda it: it._heat._settings,
    "router.heat.prepare_s": lambda it: {
        it._heat._provisioning.answer_within_s,
        it._heat._settings.prepare_s,
    },
    "router.provisioner.": lambda it: it._parts.provisioner._settings,
}
LOGIC = {
    **EVERY,
    **mesh("logic.mesh", lambda it: it._mesh),
    **bounds("logic", lambda it: it.serving[SERVICE_LOGIC]),
    **bounds("logic.im", lambda it: it.serving[SERVICE_IM]),
    "logic.": lambda it: it._settings,
    "logic.urgent_per_s": lambda it: it._parts.urgent_limit.rate.per_s,
    "logic.urgent_burst": lambda it: it._parts.urgent_limit.rate.burst,
    "logic.messages_per_s": lambda it: it.capacity.per_s,
    "logic.outgoing_records": lambda it: {way.queue.limit for way in it.outgoing.ways},
    "logic.im.": lambda it: it.im._settings,
    "logic.mailbox.": lambda it: it.im.mailboxes._open.settings,
    "logic.mailbox.max_devices": lambda it: {
        it.im.mailboxes._open.settings.max_devices,
        it.im.push._max_devices,
    },
    "logic.mailbox.hot.": lambda it: it.im.mailboxes._hot._rules._settings,
    "logic.mailbox.hot.look_s": lambda it: it.im.mailboxes._hot._settings.look_s,
    "logic.contacts.": lambda it: it.im._contacts.settings,
    "logic.groups.": lambda it: it.im._groups.settings,
    **keys("logic.receipts", lambda it: it.receipts),
    "logic.auth.secret": lambda it: it.auth.own.issuer.keys[-1].signing.decode(),
    "logic.auth.key_files": lambda it: [key.kid for key in it.auth.own.issuer.keys],
    "logic.auth.issuer": lambda it: it.auth.own.issuer._settings.issuer,
    "logic.auth.access_token_s": lambda it: {
        it.auth.own.issuer._settings.access_token_s,
        it.auth.revoking.settings.access_token_s,
    },
    "logic.auth.": lambda it: it.auth.own.logins.settings,
    "logic.auth.revoked_for_s": lambda it: it.auth.revoking.settings.revoked_for_s,
    "logic.auth.passwords.": lambda it: it.auth.own.passwords.settings,
    **rates(
        "logic.auth.rates",
        {
            "address_logins_per_min": ("login-address", 60),
            "account_logins_per_min": ("login-account", 60),
            "registrations_per_hour": ("register-address", 3600),
            "requests_per_min": ("auth-address", 60),
        },
    ),
    "logic.push.webhook.": lambda it: it._parts.providers["webhook"].settings,
}
LOOKS: dict[str, Looks] = {"access": ACCESS, "relay": RELAY, "router": ROUTER, "logic": LOGIC}


def gone_by(role: str, key: str, service: Any) -> Any:
    """Return what `service` goes by for `key`."""
    looks, table, name = LOOKS[role], *key.rpartition(".")[::2]
    if key in looks:
        return looks[key](service)
    try:
        return getattr(looks[f"{table}."](service), name)
    except (KeyError, AttributeError):
        message = f"{key} reloads: have `reconfigured` hand it on, and say here how"
        raise AssertionError(message) from None


def _lanes(it: Any, priority: Priority) -> set[int]:
    peers = it._relay.seating.roster.peers
    return {peer.lanes[priority].limit_bytes for peer in peers}
