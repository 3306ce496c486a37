"""The addresses of a relay: one for each lane, written short or in full."""

from proto.priorities import Priority

LaneUrls = tuple[str, str, str]

TLS_SCHEME = "tls+tcp://"


class BadAddressError(ValueError):
    """A text that names no three lanes."""


def lane_urls(address: str) -> LaneUrls:
    """Return the URLs of the urgent, normal and bulk lane.

    >>> lane_urls("tcp://127.0.0.1:7730")
    ('tcp://127.0.0.1:7730', 'tcp://127.0.0.1:7731', 'tcp://127.0.0.1:7732')

    Raises `BadAddressError` for neither one URL with a port nor three URLs.
    """
    urls = [url.strip() for url in address.split(",")]
    if len(urls) == len(Priority) and all("://" in url for url in urls):
        return urls[0], urls[1], urls[2]
    start, colon, port = address.rpartition(":")
    if len(urls) != 1 or "://" not in start or not port.isdecimal():
        raise BadAddressError(
            f"{address!r} is neither one URL with a port nor three URLs with commas"
        )
    if not 0 < int(port) <= 65_533:
        raise BadAddressError(f"{address!r}: the port is not from 1 to 65533")
    first = int(port)
    return address, f"{start}{colon}{first + 1}", f"{start}{colon}{first + 2}"


def refuse_other_scheme(address: str, *, tls: bool) -> None:
    """Raise `BadAddressError` unless all of `address` is encrypted, with `tls`, or none of it."""
    secure = [url.strip().startswith(TLS_SCHEME) for url in address.split(",")]
    if tls and not all(secure):
        raise BadAddressError(f"{address!r}: expected {TLS_SCHEME}…, since there is a certificate")
    if not tls and any(secure):
        raise BadAddressError(f"{address!r}: {TLS_SCHEME}… takes a certificate, and tls names none")
