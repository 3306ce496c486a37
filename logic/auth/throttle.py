"""How often somebody may try: counted in the store, for all instances together."""

from backends.addresses import network_of
from backends.rate_limit.interface import Rate, RateLimit, RateLimits
from logic.auth.settings import AuthRates
from proto.errors import ErrorCode, RequestError


class Throttle:
    """Admits, or raises `RequestError` `rate_limited`; `StoreUnavailableError` while nobody can
    count: who can't be counted is not admitted."""

    def __init__(self, rates: AuthRates, limits: RateLimits) -> None:
        self._address = limits(
            "login-address", Rate(rates.address_logins_per_min / 60, rates.address_logins_burst)
        )
        self._account = limits(
            "login-account", Rate(rates.account_logins_per_min / 60, rates.account_logins_burst)
        )
        self._register = limits(
            "register", Rate(rates.registrations_per_hour / 3600, rates.registrations_burst)
        )
        self._ask = limits("auth-address", Rate(rates.requests_per_min / 60, rates.requests_burst))

    async def log_in(self, address: str, account: str) -> None:
        """Count a try to log in as `account`, which need not exist."""
        await _take(self._address, network_of(address), "from this address")
        await _take(self._account, account, "of this account")

    async def register(self, address: str) -> None:
        """Count a registration."""
        await _take(self._register, network_of(address), "from this address")

    async def ask(self, address: str) -> None:
        """Count any other request: a refresh, a logout."""
        await _take(self._ask, network_of(address), "from this address")


async def _take(limit: RateLimit, key: str, whose: str) -> None:
    wait_ms = await limit.take(key)
    if wait_ms:
        raise RequestError(
            ErrorCode.RATE_LIMITED, f"too many tries {whose}", retry_after_ms=wait_ms
        )
