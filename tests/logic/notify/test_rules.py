from hypothesis import given
from hypothesis import strategies as st

from logic.notify.facts import Facts
from logic.notify.rows import Row, Token
from logic.notify.rules import Cancel, Tell, Wait, decide
from logic.presence.presence import Online, State

UNACKED_MS = 15_000
NAMES = ("phone", "tablet", "web")


@st.composite
def cases(draw):
    seq = draw(st.integers(1, 5))
    has = draw(st.lists(st.booleans(), max_size=3))
    devices = tuple(
        (Token(name, "fcm", f"t-{name}"), each) for name, each in zip(NAMES, has, strict=False)
    )
    row = Row("bob", "d:ann|bob", seq, 1, draw(st.booleans()), 0, 0)
    ts_ms = draw(st.sampled_from([0, 1000, 100_000]))
    facts = Facts(row, ts_ms, draw(st.integers(0, 6)), draw(st.booleans()), devices)
    online = Online(draw(st.sampled_from(State)), draw(st.frozensets(st.sampled_from(NAMES))))
    return facts, online, draw(st.integers(1, 200_000))


@given(cases())
def test_every_decision_has_its_reason(case):
    facts, online, now_ms = case
    lacking = [token for token, has in facts.devices if not has]
    read = facts.read_seq >= facts.row.seq
    match decide(facts, online, now_ms, UNACKED_MS):
        case Cancel():
            assert read or not lacking or not facts.ts_ms
        case Wait(due_ms, _):
            assert due_ms > now_ms
            assert not read and lacking
            waiting = {token.device for token in lacking} & online.devices
            assert online.state is State.UNKNOWN or waiting
        case Tell(tokens, quiet):
            assert online.state is not State.UNKNOWN
            assert not read and facts.ts_ms
            assert list(tokens) == lacking != []
            assert quiet == (facts.muted and not facts.row.mentioned)


@given(cases())
def test_nobody_waits_for_ever_once_presence_is_known(case):
    facts, online, now_ms = case
    later_ms = max(now_ms, facts.ts_ms) + UNACKED_MS
    decided = decide(facts, online, later_ms, UNACKED_MS)
    assert not isinstance(decided, Wait) or online.state is State.UNKNOWN
