"""Why a listener can't be reached: nng tries again and again, and says nothing."""

import socket
import ssl
from urllib.parse import urlsplit

from backends.links.interface import LISTENER_HOST
from backends.tls.credentials import Credentials

CONNECT_S = 2.0
ANSWER_S = 1.0
"""A listener that refuses our certificate says so within a round trip."""


def diagnose(url: str, credentials: Credentials | None) -> str:
    """Connect to `url` once, as a dialer does, and return what is wrong; "" for nothing.

    Blocks, for three seconds at most.
    """
    where = urlsplit(url)
    try:
        with socket.create_connection((where.hostname or "", where.port or 0), CONNECT_S) as plain:
            return _shake_hands(plain, credentials) if credentials else ""
    except (OSError, OverflowError, ValueError) as error:
        return f"can't connect: {getattr(error, 'strerror', None) or error}"


def _shake_hands(plain: socket.socket, credentials: Credentials) -> str:
    try:
        with _context(credentials).wrap_socket(plain, server_hostname=LISTENER_HOST) as secure:
            secure.settimeout(ANSWER_S)
            return _answer(secure)
    except ssl.SSLCertVerificationError as error:
        return f"we refuse its certificate: {error.verify_message}"
    except ssl.SSLError as error:
        return f"the TLS handshake fails: {_reason(error)}"
    except ConnectionError as error:
        return f"it ends the TLS handshake: {error.strerror}"


def _answer(secure: ssl.SSLSocket) -> str:
    """Return what the listener makes of our certificate: in TLS 1.3 it looks at it last."""
    try:
        return "" if secure.recv(1) else "it takes our certificate and ends the connection"
    except TimeoutError:
        return ""
    except ssl.SSLError as error:
        return f"it refuses our certificate: {_reason(error)}"


def _context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=credentials.authorities)
    context.load_cert_chain(credentials.files.cert_file, credentials.files.key_file)
    return context


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason in words: `tlsv1 alert unknown ca`."""
    return (error.reason or str(error)).lower().replace("_", " ")
