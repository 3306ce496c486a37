import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logic.mailbox.hot_rules import HotRules, Signs
from logic.mailbox.settings import HotSettings, MailboxSettings

SETTINGS = HotSettings()
RULES = HotRules(SETTINGS)
AGES = st.none() | st.integers(0, 200_000)


def signs(members: int = 10, tagged: bool = False, **ages: int | None) -> Signs:
    return Signs(members, tagged, ages.get("busy_ms"), ages.get("quiet_ms"))


def test_many_members_or_many_messages_make_a_group_hot() -> None:
    assert not RULES.next(False, signs(999))
    assert RULES.next(False, signs(1000))
    assert RULES.next(False, signs(busy_ms=10_000, quiet_ms=6000))
    assert not RULES.next(False, signs(busy_ms=10_001, quiet_ms=6000))


def test_it_cools_when_few_and_quiet_for_a_minute() -> None:
    assert RULES.next(True, signs(800))
    assert not RULES.next(True, signs(799))
    assert RULES.next(True, signs(quiet_ms=60_000))
    assert not RULES.next(True, signs(quiet_ms=60_001))


def test_a_tag_is_stronger_than_any_sign() -> None:
    assert RULES.next(False, signs(1, tagged=True))
    assert RULES.next(True, signs(1, tagged=True))


@given(st.integers(0, 3000), st.booleans(), AGES, AGES)
def test_what_has_just_become_hot_does_not_cool_by_the_same_signs(
    members: int, tagged: bool, busy_ms: int | None, between_ms: int | None
) -> None:
    # Fewer messages back is nearer: the message for `quiet` was sent after the one for `busy`.
    quiet_ms = busy_ms if between_ms is None or busy_ms is None else min(busy_ms, between_ms)
    same = Signs(members, tagged, busy_ms, quiet_ms)
    if RULES.next(False, same):
        assert RULES.next(True, same)
    if not RULES.next(True, same):
        assert not RULES.next(False, same)


@given(st.integers(800, 999), st.booleans())
def test_between_the_limits_a_group_stays_as_it_is(members: int, hot: bool) -> None:
    assert RULES.next(hot, signs(members)) is hot


class Group(RuleBasedStateMachine):
    """A group whose members come and go and talk: it never turns twice without a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms, self.hot, self.members = 0, False, 2
        self.sent_ms: list[int] = []
        self.turned_at = (0, 2)

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule(count=st.integers(1, 250))
    def talk(self, count: int) -> None:
        self.sent_ms += [self.now_ms] * count

    @rule(members=st.integers(1, 1500))
    def crowd(self, members: int) -> None:
        self.members = members

    @rule()
    def look(self) -> None:
        hot = RULES.next(self.hot, self._signs())
        if hot and not self.hot:
            assert self.members >= SETTINGS.members or self._within(SETTINGS.window_s) >= 200
        if self.hot and not hot:
            assert self.members < SETTINGS.cool_members
            assert self._within(SETTINGS.cool_window_s) <= 120
        self.hot = hot

    @invariant()
    def a_second_look_changes_nothing(self) -> None:
        first = RULES.next(self.hot, self._signs())
        assert RULES.next(first, self._signs()) is first

    def _signs(self) -> Signs:
        return Signs(self.members, False, *map(self._age, (RULES.busy_back, RULES.quiet_back)))

    def _age(self, back: int) -> int | None:
        return self.now_ms - self.sent_ms[-1 - back] if len(self.sent_ms) > back else None

    def _within(self, seconds: float) -> int:
        return sum(self.now_ms - at <= seconds * 1000 for at in self.sent_ms)


TestGroup = Group.TestCase


@pytest.mark.parametrize(
    "wrong",
    [{"cool_members": 1001}, {"cool_per_s": 4.0}, {"cool_window_s": 5.0}],
)
def test_settings_by_which_a_group_would_go_to_and_fro_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"hot.{next(iter(wrong))}"):
        MailboxSettings(hot=HotSettings(**wrong))  # type: ignore[arg-type]
