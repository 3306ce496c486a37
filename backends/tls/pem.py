"""Reads PEM files and says clearly what is wrong with them; OpenSSL's own errors don't.

`key` is the name of the config's key that names the file: a complaint starts with it.
"""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificatePublicKeyTypes,
    PrivateKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from backends.tls.errors import CertificateError


def read_certificates(key: str, file: str) -> list[x509.Certificate]:
    """Return the certificates in `file`, one at least; raises `CertificateError`."""
    data = _read(key, file)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        text = f"{key}: expected certificates in PEM, the node's own first, not so in {file}"
        raise CertificateError(text) from error


def read_private_key(key: str, file: str) -> PrivateKeyTypes:
    """Return the private key in `file`; raises `CertificateError`."""
    data = _read(key, file)
    try:
        return load_pem_private_key(data, password=None)
    except TypeError as error:
        text = f"{key}: expected a private key without a password, the one in {file} has one"
        raise CertificateError(text) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        text = f"{key}: expected a private key in PEM, there is none in {file}"
        raise CertificateError(text) from error


def belong(private: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    """Say whether the key is that of the certificate."""
    return _bytes(private.public_key()) == _bytes(certificate.public_key())


def _bytes(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(key: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "not a path"
        raise CertificateError(f"{key}: can't read {file}: {reason}") from error
