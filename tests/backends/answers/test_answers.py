import pytest

from backends.answers.memory import MemoryAnswers
from backends.answers.redis import RedisAnswers


@pytest.fixture
def answers(store_world):
    return MemoryAnswers() if store_world.redis is None else RedisAnswers(store_world.redis)


async def test_the_first_answer_stays(answers):
    assert await answers.recall("back", "m1") is None
    await answers.remember("back", "m1", b"first")
    await answers.remember("back", "m1", b"second")
    assert await answers.recall("back", "m1") == b"first"
    assert await answers.recall("other", "m1") is None
