"""Where viewers are to connect, as the gateways say."""

import http.client
import time
import urllib.request
from collections import deque
from collections.abc import Sequence

import msgspec

FRESH_S = 0.25
ANSWER_S = 2.0


class Directory:
    """Asks the gateways one after the other until one answers. An answer, or that there is none,
    serves all who ask within a quarter of a second: a question holds up its whole process."""

    def __init__(self, gateways: Sequence[str], token: str, room: str) -> None:
        self._gateways = gateways
        self._token = token
        self._room = room
        self._urls: deque[str] = deque()
        self._until = 0.0

    def url(self) -> str:
        """Return a URL to connect to, the answer's by turns; raises `ConnectionError`."""
        if time.monotonic() >= self._until:
            self._urls = self._asked()
            self._until = time.monotonic() + FRESH_S
        if not self._urls:
            raise ConnectionError("no gateway says where to connect")
        self._urls.rotate(-1)
        return self._urls[-1]

    def _asked(self) -> deque[str]:
        for gateway in self._gateways:
            try:
                return deque(self._ask(gateway))
            except (OSError, http.client.HTTPException, ValueError):
                continue  # it is away, or cannot say
        return deque()

    def _ask(self, gateway: str) -> list[str]:
        request = urllib.request.Request(f"{gateway}/v1/connect?room={self._room}")
        request.add_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            endpoints = msgspec.json.decode(answer.read())["endpoints"]
        return [str(each["url"]) for each in endpoints]
