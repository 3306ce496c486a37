from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.cluster.plan import SPAN, plan
from ops.errors import Refusal
from ops.processes.backoff import FREE_RESTARTS, LONGEST_DELAY_S, WINDOW_S, Backoff
from ops.processes.log_file import LONGEST_LINE_BYTES, LineSplitter, LogFile, last_words, warning_in


def test_a_ready_process_that_dies_comes_back_at_once() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(now_s=n, was_ready=True) for n in range(3)] == [0, 0, 0]


def test_a_process_that_never_gets_ready_waits_longer_each_time() -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(now_s=n * 6, was_ready=False) for n in range(8)]
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_DELAY_S


def test_a_crash_loop_of_ready_processes_backs_off_until_it_calms_down() -> None:
    backoff = Backoff()
    rapid = [backoff.delay_s(now_s=n / 100, was_ready=True) for n in range(FREE_RESTARTS + 2)]
    assert rapid[-2:] == [0.1, 0.2]
    assert backoff.delay_s(now_s=2 * WINDOW_S, was_ready=True) == 0


@given(
    st.integers(1024, 65535 - SPAN),
    st.integers(1, 8),
    st.integers(1, 16),
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(0, 8),
)
def test_no_port_is_given_twice_and_all_lie_in_the_span(
    base: int, routers: int, access: int, relays: int, logics: int, dedicated: int
) -> None:
    made = plan(
        base, routers=routers, access=access, relays=relays, logics=logics, dedicated=dedicated
    )
    ports = [port for _, port in made.listeners]
    assert len(ports) == len(set(ports))
    assert all(base <= port < base + SPAN for port in ports)
    assert made.gateway == f"http://127.0.0.1:{base}"


def test_links_are_counted_against_a_full_mesh() -> None:
    made = plan(7700, routers=4, access=16, relays=2, logics=6, dedicated=8)
    assert made.links == {"held": 52, "full_mesh": 64}


@pytest.mark.parametrize(
    ("base", "relays", "expected"),
    [
        (80, 2, "--port-base: expected"),
        (65535, 2, "--port-base"),
        (7700, 9, "relay nodes: expected"),
    ],
)
def test_what_has_no_room_is_refused(base: int, relays: int, expected: str) -> None:
    with pytest.raises(Refusal, match=expected):
        plan(base, routers=1, access=2, relays=relays, logics=1)


def test_more_dedicated_nodes_than_there_are_ports_for_are_refused() -> None:
    with pytest.raises(Refusal, match="--most-dedicated: expected 0 to 8, got 9"):
        plan(7700, routers=1, access=1, relays=1, logics=1, dedicated=9)


def test_a_log_file_keeps_to_its_bound(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "n.log", most_bytes=100)
    for n in range(50):
        log.write(f"line {n:03}\n".encode())
    log.close()
    kept = (tmp_path / "n.log.1").read_text() + (tmp_path / "n.log").read_text()
    assert len(kept) <= 200
    assert kept.endswith("line 049\n")
    assert log.last_lines[-1] == "line 049"


@given(st.lists(st.binary(max_size=20)))
def test_lines_come_out_whole_however_they_were_cut(parts: list[bytes]) -> None:
    splitter = LineSplitter()
    lines = [line for part in [*parts, b"\n"] for line in splitter.feed(part)]
    assert b"".join(lines) == b"".join(parts) + b"\n"
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)


def test_a_line_without_end_is_cut() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"x" * LONGEST_LINE_BYTES) == []
    assert len(splitter.feed(b"x")) == 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"level":"warning","event":"relay_lost","relay":"r1"}', "warning: relay_lost relay=r1"),
        (b'{"level":"info","event":"node_ready"}', None),
        (b"plain text", None),
        (b"[1]", None),
    ],
)
def test_warnings_are_picked_out_of_json_lines(line: bytes, expected: str | None) -> None:
    assert warning_in(line) == expected


def test_last_words_without_a_newline_are_kept() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"a\nb") == [b"a\n"]
    assert splitter.rest() == [b"b\n"]
    assert splitter.rest() == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        (["Error: log.level: expected"], "log.level: expected"),
        (['{"event":"node_failed","reason":"no luck"}'], "no luck"),
        (["strange", '{"event":"x"}'], "strange"),
    ],
)
def test_last_words_say_why_a_process_ended(lines: list[str], expected: str) -> None:
    assert last_words(lines) == expected
