"""The rules of refresh tokens, for any order in which their holders use them."""

import random

from hypothesis import given
from hypothesis import strategies as st

from backends.database.logins import Login
from logic.auth.refresh_tokens import RefreshToken, Use, judge, parse, rotated

GRACE_MS = 10_000


def begun(token: RefreshToken) -> Login:
    return Login("u-1", "u-1.5", "", token.family_hash, token.hash, b"", 0, 0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2 * GRACE_MS)), max_size=30))
def test_but_one_token_is_good_and_one_more_for_a_while(
    uses: list[tuple[int, int]],
) -> None:
    """Somebody uses any of the tokens ever given (the 0th is the newest), some time later."""
    bits, now_ms = random.Random(1).getrandbits, 0
    given_out = [RefreshToken.new(bits)]
    login, used_last_at = begun(given_out[0]), 0
    spent: RefreshToken | None = None
    for back, pause_ms in uses:
        now_ms += pause_ms
        token = given_out[-1 - back % len(given_out)]
        use = judge(login, token, now_ms, GRACE_MS)
        if token is given_out[-1]:
            assert use is Use.FIRST
            spent, used_last_at = token, now_ms
        elif token is spent and now_ms - used_last_at <= GRACE_MS:
            assert use is Use.REPEATED
        else:
            assert use is Use.REUSED
            return
        following = token.next(bits)
        login = rotated(login, use, following, now_ms, now_ms)
        given_out.append(following)
        assert judge(login, following, now_ms, GRACE_MS) is Use.FIRST


@given(st.integers(0), st.binary(min_size=48, max_size=48))
def test_a_token_is_read_as_it_was_written(seed: int, raw: bytes) -> None:
    token = RefreshToken.new(random.Random(seed).getrandbits)
    assert parse(token.text) == token
    assert parse(token.next(random.Random(seed + 1).getrandbits).text) != token
    assert parse(raw.hex()) == RefreshToken(raw[:16], raw[16:])


@given(st.text(max_size=100))
def test_what_is_no_token_is_none(text: str) -> None:
    token = parse(text)
    assert token is None or token.text == "".join(text.split()).lower()
