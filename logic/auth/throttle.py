"""How often somebody may try: counted in the store, for all instances together."""

from backends.addresses import network_of
from backends.rate_limit.interface import Rate, RateLimits
from logic.auth.settings import AuthRates
from proto.errors import ErrorCode, RequestError

LOGIN_ADDRESS = "login-address"
LOGIN_ACCOUNT = "login-account"
REGISTER = "register-address"
ASK = "auth-address"


class Throttle:
    """Admits, or raises `RequestError` `rate_limited`; `StoreUnavailableError` while nobody can
    count: who can't be counted is not admitted."""

    def __init__(self, rates: AuthRates, limits: RateLimits) -> None:
        self.limits = {name: limits(name, rate) for name, rate in _rates(rates).items()}

    def reconfigured(self, rates: AuthRates) -> None:
        """Go by other rates from now on."""
        for name, rate in _rates(rates).items():
            self.limits[name].rate = rate

    async def log_in(self, address: str, account: str) -> None:
        """Count a try to log in as `account`, which need not exist."""
        await self._take(LOGIN_ADDRESS, network_of(address), "from this address")
        await self._take(LOGIN_ACCOUNT, account, "of this account")

    async def register(self, address: str) -> None:
        """Count a registration."""
        await self._take(REGISTER, network_of(address), "from this address")

    async def ask(self, address: str) -> None:
        """Count any other request: a refresh, a logout."""
        await self._take(ASK, network_of(address), "from this address")

    async def _take(self, name: str, key: str, whose: str) -> None:
        wait_ms = await self.limits[name].take(key)
        if wait_ms:
            message = f"too many tries {whose}"
            raise RequestError(ErrorCode.RATE_LIMITED, message, retry_after_ms=wait_ms)


def _rates(rates: AuthRates) -> dict[str, Rate]:
    return {
        LOGIN_ADDRESS: Rate(rates.address_logins_per_min / 60, rates.address_logins_burst),
        LOGIN_ACCOUNT: Rate(rates.account_logins_per_min / 60, rates.account_logins_burst),
        REGISTER: Rate(rates.registrations_per_hour / 3600, rates.registrations_burst),
        ASK: Rate(rates.requests_per_min / 60, rates.requests_burst),
    }
