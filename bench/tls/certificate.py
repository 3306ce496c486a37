"""A certificate for one measurement, signed by itself."""

import datetime
from pathlib import Path
from typing import Literal, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KeyKind = Literal["p256", "rsa2048"]
KEY_KINDS: tuple[KeyKind, ...] = get_args(KeyKind)
NAME = "localhost"


def write_certificate(file: Path, kind: KeyKind) -> None:
    """Write key and certificate for `NAME`, valid for a day, into one PEM file."""
    key = _key(kind)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    unsigned = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - day,
        not_valid_after=now + day,
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + unsigned.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )


def _key(kind: KeyKind) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
