"""Metrics of accounts, logins and revocations, made from counters on each scrape."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from logic.auth.accounts import Accounts
from logic.auth.logins import Logins
from logic.auth.passwords import Passwords
from logic.auth.revoking import Revoking

PREFIX = "relaymesh_logic_auth_"


class AuthCollector(Collector):
    """Reads the counters."""

    def __init__(
        self, accounts: Accounts, logins: Logins, revoking: Revoking, passwords: Passwords
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._revoking = revoking
        self._passwords = passwords

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        family = CounterMetricFamily(
            PREFIX + "events", "What happened to accounts and logins.", labels=["event"]
        )
        for event, count in self._events().items():
            family.add_metric([event], count)
        yield family
        text = "Passwords that are hashed or wait for it."
        yield GaugeMetricFamily(PREFIX + "hashes_under_way", text, self._passwords.under_way)

    def _events(self) -> dict[str, int]:
        return {
            "registered": self._accounts.registered,
            "logged_in": self._accounts.logged_in,
            "wrong_password": self._accounts.refused,
            "overloaded": self._passwords.refused,
            "refreshed": self._logins.refreshed,
            "reused": self._logins.reused,
            "user_revoked": self._revoking.users,
            "login_revoked": self._revoking.logins,
        }
