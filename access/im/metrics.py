"""The metrics of instant messages at the edge, made from plain numbers on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from access.im.messaging import Messaging

PREFIX = "relaymesh_access_im_"
TOTALS = (
    ("sent", "Messages sent for the first time on their connection."),
    ("acknowledged", "Messages acknowledged by devices."),
    ("resends", "Messages sent again without an acknowledgement in time."),
    ("dead", "Connections closed because a message stayed unacknowledged."),
    ("replaced", "Connections closed because their device came anew."),
    ("duplicates", "Messages that came again from the mesh."),
    ("elsewhere", "Numbered messages of which no receiver is here."),
    ("stale_epoch", "Connections closed because the numbering is new."),
    ("opens", "Devices that began to take instant messages."),
    ("open_errors", "Devices for which logic had no answer."),
    ("syncs", "Pages of streams asked for."),
    ("syncs_joined", "Pages that another connection had asked for already."),
    ("sync_errors", "Pages that did not come."),
    ("tails", "Questions for the ends of mailboxes and hot groups."),
    ("tails_errors", "Such questions without an answer."),
    ("tails_behind", "Streams of which an answer knew more than this node."),
    ("hot_messages", "Messages of hot groups."),
    ("hot_overflows", "Messages of hot groups that found no room and are asked for."),
    ("cursor_reports", "Reports of what devices have acknowledged."),
    ("cursor_errors", "Such reports without an answer; they are sent again."),
    ("presence_asks", "Questions for the presence of users that are watched."),
    ("presence_errors", "Such questions without an answer."),
    ("presence_changes", "Changes of presence that were told."),
    ("watches_refused", "Users whom a client may not watch, being no friend of theirs."),
)


def collect(messaging: Messaging) -> Iterator[Metric]:
    """Yield every metric of instant messages."""
    counters = messaging.counters
    for name, text in TOTALS:
        yield CounterMetricFamily(PREFIX + name, text, getattr(counters, name))
    gauges = (
        ("devices", "Devices that take instant messages.", len(messaging.devices)),
        ("in_flight", "Messages sent and not acknowledged.", counters.in_flight),
        ("in_flight_bytes", "Bytes of the same.", counters.in_flight_bytes),
        ("hot_groups", "Hot groups with a device here.", len(messaging.hot_groups)),
        ("cursors_waiting", "Acknowledgements to be reported.", len(messaging.cursors)),
        ("watched", "Users of whose presence somebody here is told.", len(messaging.watching)),
    )
    for name, text, value in gauges:
        yield GaugeMetricFamily(PREFIX + name, text, value)
