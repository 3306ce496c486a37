"""The certificate that new handshakes use."""

import ssl
from dataclasses import dataclass

from backends.tls.errors import CertificateError

TICKETS = 1
"""Session tickets for each handshake: a client comes back with one connection."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that is ready for use."""

    context: ssl.SSLContext
    expires_s: float
    """In Unix seconds: the end of the certificate itself, not of its chain."""


def load(cert_file: str, key_file: str) -> Certificate:
    """Return the certificate (with its chain) in `cert_file` and the key in `key_file`.

    Raises `CertificateError` for a file that can't be read or is of the wrong kind, for a key with
    a password, and for one that belongs to another certificate.
    """
    # Here, because it costs 9 MB and 0.1 s that only a node with TLS should pay.
    from backends.tls import pem

    leaf = pem.read_certificates("tls_cert", cert_file)[0]
    if not pem.belong(pem.read_private_key("tls_key", key_file), leaf):
        raise CertificateError(
            f"tls_key: expected the key of the certificate in {cert_file}, {key_file} holds another"
        )
    return Certificate(_context(cert_file, key_file), leaf.not_valid_after_utc.timestamp())


def _context(cert_file: str, key_file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # the peer's way to make us work for nothing
    context.num_tickets = TICKETS
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert_file, key_file)
    except OSError as error:  # replaced since it was read, or too weak for OpenSSL
        text = f"tls_cert: can't use {cert_file} with {key_file}: {error}"
        raise CertificateError(text) from error
    return context
