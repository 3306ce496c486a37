"""What a node shows on the mesh's links, and whom it trusts there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from backends.tls.errors import CertificateError
from backends.tls.files import Files

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Credentials:
    """A certificate that is ready for use, all of it in PEM."""

    name: str
    """The common name of the subject: ROLE/NODE."""
    expires_s: float
    """In Unix seconds: the end of the certificate itself, not of its chain."""
    authorities: str
    chain: str
    key: str = field(repr=False)
    files: Files
    """Where it came from."""


def load(files: Files) -> Credentials:
    """Return the credentials in `files`; a certificate that has ended is read all the same.

    Raises `CertificateError` for a file that can't be read or is of the wrong kind, for a key that
    has a password or belongs to another certificate, and for a certificate that none of the
    authorities has issued.
    """
    # Here, because it costs 8 MB that only a node with TLS should pay.
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from backends.tls import pem

    authorities = pem.read_certificates("ca_file", files.ca_file)
    chain = pem.read_certificates("cert_file", files.cert_file)
    key = pem.read_private_key("key_file", files.key_file)
    if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
        raise CertificateError(f"key_file: expected an EC or RSA key, {files.key_file} has another")
    if not pem.belong(key, chain[0]):
        raise CertificateError(
            f"key_file: expected the key of the certificate in {files.cert_file}, "
            f"{files.key_file} holds another"
        )
    _require_issued(chain, authorities, files)
    return Credentials(
        name=_common_name(chain[0]),
        expires_s=chain[0].not_valid_after_utc.timestamp(),
        authorities=_text(authorities),
        chain=_text(chain),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        files=files,
    )


def _require_issued(
    chain: Sequence["Certificate"], authorities: Sequence["Certificate"], files: Files
) -> None:
    whole = all(_is_issued(each, by) for each, by in pairwise(chain))
    top = chain[-1]
    if not whole or not any(top == each or _is_issued(top, each) for each in authorities):
        raise CertificateError(
            f"cert_file: expected a certificate of an authority in {files.ca_file}, "
            f"{files.cert_file} is of another"
        )


def _is_issued(certificate: "Certificate", by: "Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _common_name(certificate: "Certificate") -> str:
    from cryptography.x509.oid import NameOID

    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _text(certificates: Sequence["Certificate"]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)
