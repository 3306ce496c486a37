"""What can be tuned of accounts and logins; the config's keys are the names here."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from proto.settings_types import RELOADS, SECRET_MARK
from proto.token_keys import MAX_KEYS


class PasswordSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How passwords are kept: argon2id (RFC 9106). A login whose hash was made with other
    parameters makes a new one."""

    memory_kib: Annotated[
        int,
        Meta(
            description="Memory of one hash in KiB, which is what makes guessing dear. 19456: the"
            " first of OWASP's equal choices, with two passes and one lane; 7168 is the least that"
            " it names.",
            ge=7168,
            le=1_048_576,
        ),
    ] = 19_456
    passes: Annotated[
        int,
        Meta(
            description="Passes over the memory. Two take 25 ms of one core with it.",
            ge=1,
            le=64,
        ),
    ] = 2
    lanes: Annotated[
        int,
        Meta(
            description="Threads of one hash. One: where many log in at once, each core has one of"
            " its own anyway.",
            ge=1,
            le=16,
        ),
    ] = 1
    at_once: Annotated[
        int,
        Meta(
            description="Hashes that this instance works on at once, each with its memory and a"
            " core. Two, so that a rush of logins leaves the machine to messages.",
            ge=1,
            le=64,
        ),
    ] = 2
    waiting: Annotated[
        int,
        Meta(
            description="Hashes that wait behind those; beyond it logins are answered `overloaded`"
            " at once. 32 are half a second of work.",
            ge=0,
            le=10_000,
        ),
    ] = 32


class AuthRates(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often somebody may try, over all instances. While the store that counts is away, nobody
    logs in. An IPv6 address counts by its first 64 bits: who has one has them all."""

    address_logins_per_min: Annotated[
        float,
        Meta(
            description="Logins and changes of passwords from one address a minute. 60: an office"
            " behind one address.",
            gt=0,
            le=1_000_000,
        ),
    ] = 60.0
    address_logins_burst: Annotated[
        int, Meta(description="Of those at once. 60: the office comes to work.", ge=1, le=1_000_000)
    ] = 60
    account_logins_per_min: Annotated[
        float,
        Meta(
            description="Logins of one account a minute, from anywhere, whether its password was"
            " right or not. 6: 9,000 guesses a day at most, against a password of eight. Whoever"
            " knows a name can so keep its owner from logging in anew; logins that there are go"
            " on.",
            gt=0,
            le=1_000_000,
        ),
    ] = 6.0
    account_logins_burst: Annotated[
        int, Meta(description="Of those at once. 10: a person who tries.", ge=1, le=1_000_000)
    ] = 10
    registrations_per_hour: Annotated[
        float,
        Meta(
            description="Accounts made from one address an hour. 20: a family, not a factory.",
            gt=0,
            le=1_000_000,
        ),
    ] = 20.0
    registrations_burst: Annotated[
        int, Meta(description="Of those at once.", ge=1, le=1_000_000)
    ] = 10
    requests_per_min: Annotated[
        float,
        Meta(
            description="Refreshes, logouts and lists of logins from one address a minute. 600:"
            " each client refreshes once in a quarter of an hour; nobody guesses 256 bits, so that"
            " it is the database which is spared.",
            gt=0,
            le=1_000_000,
        ),
    ] = 600.0
    requests_burst: Annotated[int, Meta(description="Of those at once.", ge=1, le=1_000_000)] = 600


class AuthSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Accounts and logins of the cluster's own, and revocation."""

    kind: Annotated[
        Literal["none", "accounts"],
        Meta(
            description="`accounts`: users register and log in here. `none`: an issuer of yours"
            " signs all tokens, and /v1/auth/… is answered 404.",
        ),
    ] = "none"
    secret: Annotated[
        str,
        RELOADS,
        Meta(
            description="Signs access tokens (HS256) where `key_files` names no key: the same as"
            " `tokens.secret` of access nodes and routers. At least 32 bytes.",
            pattern=r"^$|^[\s\S]{32,}\Z",
            max_length=4096,
            extra={SECRET_MARK: True},
        ),
    ] = ""
    key_files: Annotated[
        tuple[str, ...],
        RELOADS,
        Meta(
            description="PEM files of keys, RSA (RS256) or Ed25519 (EdDSA). The first, a private"
            " one, signs access tokens; access nodes and routers need its public half alone"
            " (`tokens.key_files`), under the same name. All are in /v1/auth/jwks.json: name the"
            " next key behind the one in use, give it to the nodes, then change the order.",
            max_length=MAX_KEYS,
        ),
    ] = ()
    issuer: Annotated[
        str,
        RELOADS,
        Meta(description="The claim `iss` of access tokens.", min_length=1, max_length=256),
    ] = "relaymesh"
    access_token_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for which an access token counts. 900: a connection is told to"
            " refresh it in place before, and a revocation need not be remembered for longer.",
            ge=10,
            le=86_400,
        ),
    ] = 900.0
    refresh_token_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for which a login may rest before it has to be made anew. 30 days:"
            " who opens the app once a month stays logged in.",
            ge=60,
            le=31_536_000,
        ),
    ] = 2_592_000.0
    reuse_grace_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds in which the refresh token used last may be used again, by a"
            " client that lost the answer. 10: two tries. As long, a thief who has that very token"
            " is not noticed, and then by the next refresh of either.",
            ge=0,
            le=300,
        ),
    ] = 10.0
    max_logins: Annotated[
        int,
        RELOADS,
        Meta(
            description="Logins of one account; one more ends the one that was seen least lately."
            " 20: more than a person has devices.",
            ge=1,
            le=1000,
        ),
    ] = 20
    revoked_for_s: Annotated[
        float,
        RELOADS,
        Meta(
            description="Seconds for which the revocation of a user is remembered: the longest life"
            " of any token that is believed, an issuer's of yours too. A day; access tokens of the"
            " cluster's own live for `access_token_s`.",
            ge=60,
            le=31_536_000,
        ),
    ] = 86_400.0
    passwords: Annotated[PasswordSettings, RELOADS] = PasswordSettings()
    rates: Annotated[AuthRates, RELOADS] = AuthRates()

    def __post_init__(self) -> None:
        """Raise `ValueError` that names the key whose value is of no use."""
        if self.kind == "accounts" and not (self.secret or self.key_files):
            raise ValueError("auth.secret: accounts need a secret, or key_files, to sign tokens")
        if self.revoked_for_s < self.access_token_s:
            raise ValueError(
                f"auth.revoked_for_s: expected at least access_token_s ({self.access_token_s:g}),"
                f" got {self.revoked_for_s:g}"
            )
