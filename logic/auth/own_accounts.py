"""Accounts of the cluster's own: what they are made of, put together."""

from logic.auth.accounts import Accounts
from logic.auth.issuer import Issuer
from logic.auth.logins import Logins
from logic.auth.metrics import AuthCollector
from logic.auth.passwords import Passwords
from logic.auth.revoking import Revoking
from logic.auth.service import AuthHandler
from logic.auth.settings import AuthSettings
from logic.auth.throttle import Throttle
from logic.parts import Parts


class OwnAccounts:
    """`handler` answers; `collector` has the figures."""

    def __init__(self, settings: AuthSettings, parts: Parts, revoking: Revoking) -> None:
        now_ms, random_bits = parts.now_ms, parts.random_bits
        self.issuer = Issuer(settings, now_ms)
        self.throttle = Throttle(settings.rates, parts.rate_limits)
        self.passwords = Passwords(settings.passwords)
        self.logins = Logins(
            settings, parts.database, self.issuer, revoking, now_ms=now_ms, random_bits=random_bits
        )
        accounts = Accounts(
            parts.database,
            self.passwords,
            self.throttle,
            self.logins,
            now_ms=now_ms,
            random_bits=random_bits,
        )
        self.handler = AuthHandler(accounts, self.logins, revoking, self.throttle, self.issuer)
        self.collector = AuthCollector(accounts, self.logins, revoking, self.passwords)

    def reconfigured(self, settings: AuthSettings) -> None:
        """Take over the keys that reload; raises as `load_keys`, and changes nothing then."""
        self.issuer.reconfigured(settings)
        self.logins.settings = settings
        self.throttle.reconfigured(settings.rates)
        self.passwords.reconfigured(settings.passwords)
