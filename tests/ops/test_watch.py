import io
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from ops.command import relaymesh
from ops.errors import Failure
from ops.watch.picture import picture
from ops.watch.rates import Rates
from ops.watch.run import watch
from ops.watch.screen import screen
from tests.browser.made_status import made_status


def test_a_rate_is_what_a_counter_grew_by_on_the_nodes_own_clock() -> None:
    rates = Rates()
    assert rates.look("a", "i1", 10.0, {"x": 100}) == {}
    assert rates.look("a", "i1", 12.0, {"x": 150}) == {"x": 25.0}
    assert rates.look("a", "i1", 12.0, {"x": 150}) == {"x": 25.0}, "nothing was counted anew"


def test_a_counter_that_begins_anew_is_no_negative_rate() -> None:
    rates = Rates()
    rates.look("a", "i1", 10.0, {"x": 100})
    assert rates.look("a", "i1", 11.0, {"x": 30}) == {"x": 30.0}
    assert rates.look("a", "i2", 1.0, {"x": 5}) == {}, "another life of the node"
    assert rates.look("a", "i2", 2.0, {"x": 6}) == {"x": 1.0}


def test_the_picture_has_each_node_of_each_region_with_its_traffic() -> None:
    rates = Rates()
    picture(made_status(1), rates)
    seen = picture(made_status(2), rates)
    rows = {(row.region, row.node): row for row in seen.rows}
    assert (seen.regions, len(rows)) == (["asia", "eu", "us"], 132)
    down = rows["us", "relay-2"]
    assert (down.state, down.silent_s, down.per_s["bulk"]) == ("down", 14.5, 0.0)
    assert rows["asia", "access-7"].state == "draining"
    access = rows["eu", "access-3"]
    # To relay-1 105 a second, to relay-2 52, to relay-3 35, to relay-4 26; and back a third.
    assert access.per_s["urgent"] == 218 + 35 + 17 + 11 + 8
    assert access.deliveries_per_s["normal"] == 3 * 35 * 9
    relays = [rows["eu", f"relay-{n}"].per_s["bulk"] for n in (1, 2, 3, 4)]
    around = [row.per_s["bulk"] for row in seen.rows if row.region == "eu" and row.role != "relay"]
    assert sum(relays) == pytest.approx(sum(around))


class Terminal:
    """Runs the watch for a few looks; the last of them is interrupted, as by Ctrl-C."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.console = Console(file=io.StringIO(), force_terminal=True, width=150, height=400)
        self.slept: list[float] = []

    def run(self) -> str:
        watch(self._ask, 2.0, self.console, self._sleep)
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue()

    def _ask(self) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self._answers:
            raise KeyboardInterrupt


def test_the_screen_shows_nodes_rates_alerts_and_rooms_until_ctrl_c() -> None:
    terminal = Terminal(made_status(1), made_status(2))
    shown = terminal.run()
    assert terminal.slept == [2.0, 2.0]
    for text in (
        "relays: 11 of 12 up",
        "links: 160 of 160",
        "critical: relay-2 has not been heard of for 12 s (us)",
        "room grand-final: hot, pool hot-5f0c9a1b, 41200 viewers",
        "down 14 s",
        "asia",
        "draining",
    ):
        assert text in shown


def test_a_gateway_that_is_away_is_said_and_what_was_shown_stays() -> None:
    away = Failure("no cluster answers")
    shown = Terminal(made_status(1), away).run()
    last = shown.rpartition("The gateway does not answer (no cluster answers)")[2]
    assert "shown as it was" in last
    assert "access-30" in last
    assert "The gateway does not answer" in Terminal(away).run()


def test_where_there_is_no_room_those_in_trouble_and_the_busiest_are_shown() -> None:
    rates = Rates()
    picture(made_status(1), rates)
    console = Console(file=io.StringIO(), width=150)
    console.print(screen(picture(made_status(2), rates), height=60))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 60
    text = "\n".join(lines)
    assert text.count(" more ") == 3
    assert "down 14 s" in text
    assert text.index(" access-7 ") < text.index(" access-29 ") < text.index(" access-30 ")


def test_a_region_that_does_not_answer_is_shown() -> None:
    status = made_status(1)
    status["regions"][0] = {"region": "asia", "answers": False, "nodes": [], "lost": []}
    assert "region asia does not answer" in Terminal(status).run()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--watch", "--json"], 2, "--watch and --json: give one of them"),
        (["--watch"], 1, "--watch needs a terminal; --json is for programs"),
        (["--watch", "--interval-s", "0"], 2, "--interval-s"),
    ],
)
def test_what_can_not_be_watched_is_one_clear_line(
    arguments: list[str], code: int, says: str
) -> None:
    result = CliRunner().invoke(relaymesh, ["status", *arguments])
    assert (result.exit_code, says in result.output) == (code, True), result.output
