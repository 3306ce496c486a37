"""Reads PEM files and says clearly what is wrong with them; OpenSSL's own errors don't."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificatePublicKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from access.edge.tls.errors import CertificateError


def read_certificate(file: str) -> x509.Certificate:
    """Return the first certificate in `file`; raises `CertificateError` if any can't be read."""
    data = _read("tls_cert", file)
    try:
        return x509.load_pem_x509_certificates(data)[0]
    except ValueError as error:
        text = f"tls_cert: expected certificates in PEM, the node's own first, not so in {file}"
        raise CertificateError(text) from error


def read_public_key(file: str) -> bytes:
    """Return the public half of the private key in `file`; raises `CertificateError`."""
    data = _read("tls_key", file)
    try:
        return public_bytes(load_pem_private_key(data, password=None).public_key())
    except TypeError as error:
        text = f"tls_key: expected a private key without a password, the one in {file} has one"
        raise CertificateError(text) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        text = f"tls_key: expected a private key in PEM, there is none in {file}"
        raise CertificateError(text) from error


def public_bytes(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    """Return what two halves of the same key have in common."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(name: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not a path"
        raise CertificateError(f"{name}: can't read {file}: {reason}") from error
