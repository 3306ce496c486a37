"""A certificate authority that issues certificates for nodes: X.509 v3 after RFC 5280, EC P-256.

A relay's certificate is for the host name `relay` on both sides of a handshake, that of any other
node for the dialling side alone: nobody else may listen.
"""

import datetime as dt
import secrets
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proto.certificate_names import certificate_name

BACKDATED = dt.timedelta(hours=1)
"""Clocks of a cluster's machines may differ a little."""


class Pair(NamedTuple):
    """A certificate and its key, in PEM."""

    certificate: str
    key: str


class Authority:
    """An authority with its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificate = certificate
        self.key = key

    @classmethod
    def new(cls, days: float, now: dt.datetime) -> "Authority":
        """Return a new one whose certificate ends after `days`.

        Its name has a part at random: two authorities are told apart by their names.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"relaymesh CA {secrets.token_hex(4)}")
        builder = _builder(name, name, key.public_key(), days, now)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(issues=True), True)
        return cls(builder.sign(key, SHA256()), key)

    def issue(self, role: str, node: str, days: float, now: dt.datetime) -> Pair:
        """Return a certificate for `node` (or `*`) of `role`, for `days` or as long as the
        authority's own.

        Raises `ValueError`, with a line for the user, for a node that can't be.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        left = (self.certificate.not_valid_after_utc - now) / dt.timedelta(days=1)
        subject = _name(certificate_name(role, node))
        issuer = self.certificate.subject
        builder = _builder(subject, issuer, key.public_key(), min(days, left), now)
        host = x509.SubjectAlternativeName([x509.DNSName(role)])
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(issues=False), True),
            (x509.ExtendedKeyUsage(_purposes(role)), False),
            (host, False),
            (_issuer_id(self.key), False),
        ):
            builder = builder.add_extension(extension, critical)
        return Pair(pem_of(builder.sign(self.key, SHA256())), key_pem_of(key))


def pem_of(certificate: x509.Certificate) -> str:
    """Return `certificate` in PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem_of(key: ec.EllipticCurvePrivateKey) -> str:
    """Return `key` in PEM (PKCS 8), without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days: float,
    now: dt.datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=now + dt.timedelta(days=days),
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _purposes(role: str) -> list[x509.ObjectIdentifier]:
    dials, listens = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
    return [dials, listens] if role == "relay" else [dials]


def _issuer_id(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        key_cert_sign=issues,
        crl_sign=issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
