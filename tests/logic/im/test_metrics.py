from prometheus_client import CollectorRegistry, generate_latest

from proto.conversations import direct

CHAT = direct("ann", "bob")


async def test_metrics_and_status_show_commits_events_and_what_waits(
    autojump_clock, im, people, ask_im
):
    await people.befriend("ann", "bob")
    await ask_im("ann", "send", conv=CHAT, mid="m", text="hi")
    await ask_im("bob", "read", conv=CHAT, seq=1)
    await im.im.events.drained()
    registry = CollectorRegistry()
    for collector in im.im.collectors():
        registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    for line in (
        'relaymesh_logic_im_commits_total{of="sends"} 1.0',
        'relaymesh_logic_im_committed_total{of="reads"} 1.0',
        'relaymesh_logic_im_commit_depth{of="sends"} 0.0',
        "relaymesh_logic_im_events_published_total 1.0",
        "relaymesh_logic_im_events_dropped_total 0.0",
        "relaymesh_logic_im_events_depth 0.0",
        "relaymesh_logic_im_outbox_overdue 0.0",
        "relaymesh_logic_im_signals_total 2.0",
    ):
        assert line in lines
    status = im.im.status()
    assert (status["waiting"], status["events"], status["outbox_overdue"]) == (0, 0, 0)
