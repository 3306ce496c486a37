"""A folder with an authority and the certificates that it has issued.

    ca.pem  ca.key  access/access-1.pem  access/access-1.key  access/_any.pem …

`_any` is for `*`, every node of the role: no node can be called so.
"""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

from cryptography.hazmat.primitives.asymmetric import ec

from backends.tls import pem
from backends.tls.errors import CertificateError
from backends.tls.files import Files
from ops.certs.authority import Authority, Pair, key_pem_of, pem_of
from ops.errors import Failure
from proto.certificate_names import ANY_NODE
from proto.headers import NodeRole
from proto.ids import is_node

ROLES = get_args(NodeRole)
ANY_FILE = "_any"
CA_DAYS = 3650.0
"""Ten years: to change an authority, every node has to be given the new one first."""

NODE_DAYS = 365.0
RENEWED_FROM = 1 / 3
"""The part of a certificate's time that is left when it is renewed: four months of a year, so that
a renewal that fails is noticed long before the end."""

Now = Callable[[], dt.datetime]


class Issued(NamedTuple):
    """A certificate in the folder; `ends` and `due` (from when it should be renewed) are times. The
    authority's own has the role `ca` and no node."""

    role: str
    node: str
    ends: dt.datetime
    due: dt.datetime
    files: Files


class Folder:
    """The certificates in the folder `path`; `now` tells the time."""

    def __init__(self, path: Path, now: Now = lambda: dt.datetime.now(dt.UTC)) -> None:
        self.path = path
        self._now = now

    @property
    def has_authority(self) -> bool:
        """Whether there is an authority."""
        return (self.path / "ca.pem").exists()

    def init(self, days: float = CA_DAYS) -> None:
        """Make an authority; raises `Failure` where there is one."""
        if self.has_authority:
            raise Failure(f"{self.path} has an authority already: nodes would no longer trust it")
        made = Authority.new(days, self._now())
        self._write("ca", Pair(pem_of(made.certificate), key_pem_of(made.key)))

    def authority(self) -> Authority:
        """Return the authority; raises `Failure` where there is none that can be used."""
        files = self.shown_authority().files
        try:
            certificate = pem.read_certificates("ca.pem", files.cert_file)[0]
            key = pem.read_private_key("ca.key", files.key_file)
        except CertificateError as error:
            raise Failure(str(error)) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not pem.belong(key, certificate):
            raise Failure(f"ca.key: {files.key_file} is not the EC key of {files.cert_file}")
        if certificate.not_valid_after_utc <= self._now():
            raise Failure(f"the authority in {self.path} has ended: make another in a new folder")
        return Authority(certificate, key)

    def issue(self, role: str, node: str, days: float = NODE_DAYS) -> Files:
        """Issue a certificate, in place of the one that there may be; returns its files.

        Raises `ValueError` for a node that can't be, and `Failure` as `authority` does.
        """
        pair = self.authority().issue(role, node, days, self._now())
        (self.path / role).mkdir(mode=0o700, exist_ok=True)
        self._write(_stem(role, node), pair)
        return self.files(role, node)

    def files(self, role: str, node: str) -> Files:
        """Return where the certificate of `node` is, or would be."""
        return self._files(_stem(role, node))

    def issued(self) -> list[Issued]:
        """Return all certificates but the authority's, by role and node; raises `Failure` for a
        file that is none."""
        return [
            self._issued(role, node, self.files(role, node))
            for role in ROLES
            for node in self._nodes(role)
        ]

    def shown_authority(self) -> Issued:
        """Return the authority's own certificate; raises `Failure` where there is none."""
        files = self._files("ca")
        if not self.has_authority:
            raise Failure(f"{self.path} has no authority; `relaymesh certs init` makes one")
        return self._issued("ca", "", files)

    def renew(self, *, every: bool = False, days: float = NODE_DAYS) -> list[Issued]:
        """Issue anew those that are due, or `every` one; returns them as they are now.

        Raises `Failure` as `authority` and `issued` do.
        """
        self.authority()
        due = [each for each in self.issued() if every or each.due <= self._now()]
        for each in due:
            self.issue(each.role, each.node, days)
        names = {(each.role, each.node) for each in due}
        return [each for each in self.issued() if (each.role, each.node) in names]

    def _nodes(self, role: str) -> list[str]:
        stems = sorted(file.stem for file in (self.path / role).glob("*.pem"))
        ours = [stem for stem in stems if stem == ANY_FILE or is_node(stem)]
        return [ANY_NODE if stem == ANY_FILE else stem for stem in ours]

    def _issued(self, role: str, node: str, files: Files) -> Issued:
        try:
            found = pem.read_certificates(Path(files.cert_file).name, files.cert_file)[0]
        except CertificateError as error:
            raise Failure(str(error)) from None
        begun, ends = found.not_valid_before_utc, found.not_valid_after_utc
        return Issued(role, node, ends, ends - (ends - begun) * RENEWED_FROM, files)

    def _files(self, stem: str) -> Files:
        ca, cert, key = (self.path / name for name in ("ca.pem", f"{stem}.pem", f"{stem}.key"))
        return Files(*map(str, (ca, cert, key)))

    def _write(self, stem: str, pair: Pair) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = self._files(stem)
        _replace(Path(files.key_file), pair.key)
        _replace(Path(files.cert_file), pair.certificate)


def _stem(role: str, node: str) -> str:
    return f"{role}/{ANY_FILE if node == ANY_NODE else node}"


def _replace(file: Path, text: str) -> None:
    """Write whole files only, for the user alone: a node never reads half of one."""
    temporary = file.with_name(file.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(file)
