import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

sys.path.insert(0, str(Path(__file__).parent))

from fake_cluster import FakeCluster


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """Two fake nodes that share their rooms."""
    fake = FakeCluster()
    async with trio.open_nursery() as nursery:
        await nursery.start(fake.serve, "access-1")
        await nursery.start(fake.serve, "access-2")
        yield fake
        nursery.cancel_scope.cancel()
