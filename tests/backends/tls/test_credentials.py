"""The certificate files of the mesh: which are refused, and what a node takes over."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from backends.links.node_links import NodeLinks
from backends.tls.credentials import Credentials, load
from backends.tls.errors import CertificateError
from backends.tls.files import Files
from backends.tls.renewal import Renewal
from backends.tls.settings import TlsSettings
from mesh.settings import MeshSettings
from ops.certs.folder import Folder
from proto.certificate_names import certificate_name, covers
from relay.settings import Settings as RelaySettings


@pytest.fixture
def files(certs: Folder, tmp_path: Path) -> Files:
    """The files of access-1, for a test that changes them."""
    given = certs.issue("access", "access-1")
    return Files(*(copy(file, tmp_path) for file in given))


def renew(files: Files, certs: Folder, node: str = "access-1") -> None:
    new = certs.issue("access", node)
    for file, by in zip(files, new, strict=True):
        copy(by, file)


def no_pem(files: Files, certs: Folder, folder: Path) -> None:
    Path(files.cert_file).write_text("nonsense")


def no_authority(files: Files, certs: Folder, folder: Path) -> Files:
    return files._replace(ca_file=str(folder / "gone"))


def key_of_another(files: Files, certs: Folder, folder: Path) -> None:
    copy(certs.issue("access", "access-2").key_file, files.key_file)


def key_of_a_kind_that_nng_lacks(files: Files, certs: Folder, folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path(files.key_file).write_bytes(pem)


def another_authority(files: Files, certs: Folder, folder: Path) -> None:
    other = Folder(folder / "other")
    other.init()
    copy(other.path / "ca.pem", files.ca_file)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (no_pem, "cert_file: expected certificates in PEM"),
        (no_authority, "ca_file: can't read {folder}/gone: No such file"),
        (key_of_another, "key_file: expected the key of the certificate in"),
        (key_of_a_kind_that_nng_lacks, "key_file: expected an EC or RSA key"),
        (another_authority, "cert_file: expected a certificate of an authority in"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(
    files: Files,
    certs: Folder,
    tmp_path: Path,
    change: Callable[[Files, Folder, Path], Files | None],
    complaint: str,
) -> None:
    changed = change(files, certs, tmp_path) or files
    with pytest.raises(CertificateError) as refused:
        load(changed)
    assert str(refused.value).startswith(complaint.format(folder=tmp_path))
    with pytest.raises(msgspec.ValidationError, match=str(refused.value).split(":")[0]):
        msgspec.convert({"tls": changed._asdict()}, MeshSettings)


@pytest.mark.parametrize("absent", Files._fields)
def test_some_of_the_files_are_none(files: Files, absent: str) -> None:
    with pytest.raises(ValueError, match=f"{absent}: must be given with"):
        TlsSettings(**{**files._asdict(), absent: ""})


def test_addresses_and_certificate_must_fit(files: Files) -> None:
    tls, secure, plain = TlsSettings(**files._asdict()), "tls+tcp://a:1", "tcp://a:1"
    assert MeshSettings(relays=[secure], tls=tls).tls.on
    for settings, key in ((MeshSettings, "relays"), (RelaySettings, "listen")):
        wrap: Callable[[str], object] = (lambda url: [url]) if key == "relays" else str
        with pytest.raises(ValueError, match=f"{key}: '{plain}': expected tls"):
            settings(**{key: wrap(plain)}, tls=tls)
        with pytest.raises(ValueError, match=r"tls\+tcp://… takes a certificate"):
            settings(**{key: wrap(secure)})


def test_a_certificate_of_another_node_is_refused_by_the_node_itself(files: Files) -> None:
    NodeLinks(TlsSettings(**files._asdict()), "access", "access-1-w3")
    for role, node in (("access", "access-2"), ("relay", "access-1")):
        with pytest.raises(CertificateError) as refused:
            NodeLinks(TlsSettings(**files._asdict()), role, node)
        assert f"expected a certificate of {role}/{node}" in str(refused.value)
        assert str(refused.value).endswith("is of access/access-1")


@given(st.sampled_from(["access", "relay"]), st.text("ab1-", min_size=1).map(lambda s: f"n{s}"))
@example("access", "n-w1")
def test_a_certificate_is_for_one_node_and_its_workers_alone(role: str, node: str) -> None:
    name = certificate_name(role, node)
    assert covers(name, role, node)
    assert covers(name, role, f"{node}-w7")
    assert covers(certificate_name(role, "*"), role, node)
    assert not covers(name, "logic", node)
    assert not covers(name, role, f"{node}x")
    assert not covers(name, role, f"{node}-w0")
    assert not covers("", role, node)


class Taken:
    """Whoever uses the credentials."""

    def __init__(self) -> None:
        self.all: list[Credentials] = []
        self.refuse = False

    def __call__(self, credentials: Credentials) -> None:
        if self.refuse:
            raise CertificateError("cert_file: nng can't use it")
        self.all.append(credentials)


async def test_files_that_are_replaced_are_taken_over_once(files: Files, certs: Folder) -> None:
    renewal, taken = Renewal(files, "access", "access-1"), Taken()
    renewal.take = taken
    old = renewal.current
    for _ in range(3):
        await renewal.look()
    assert not taken.all
    renew(files, certs)
    for _ in range(4):
        await renewal.look()
    assert [each.chain for each in taken.all] == [Path(files.cert_file).read_text()]
    assert renewal.current is taken.all[0] is not old


async def test_nothing_is_read_while_one_file_is_new_and_the_other_one_is_not(
    files: Files, certs: Folder
) -> None:
    renewal, new = Renewal(files, "access", "access-1"), certs.issue("access", "access-1")
    copy(new.key_file, files.key_file)
    await renewal.look()
    copy(new.cert_file, files.cert_file)
    await renewal.look()
    assert renewal.failures == 0
    await renewal.look()
    assert renewal.current.chain == Path(new.cert_file).read_text()
    assert renewal.failures == 0


@pytest.mark.parametrize("how", ["nonsense", "another node's", "of no use to nng"])
async def test_new_files_of_no_use_change_nothing(files: Files, certs: Folder, how: str) -> None:
    renewal, taken = Renewal(files, "access", "access-1"), Taken()
    renewal.take, old = taken, renewal.current
    taken.refuse = how == "of no use to nng"
    renew(files, certs, "access-2" if how == "another node's" else "access-1")
    if how == "nonsense":
        Path(files.cert_file).write_text("nonsense")
    for _ in range(4):
        await renewal.look()
    assert (renewal.current, renewal.failures, taken.all) == (old, 1, [])
    taken.refuse = False
    renew(files, certs)
    for _ in range(2):
        await renewal.look()
    assert (len(taken.all), renewal.failures) == (1, 1)


async def test_the_end_of_the_certificate_is_in_metrics_and_status(
    files: Files, certs: Folder
) -> None:
    links = NodeLinks(TlsSettings(**files._asdict()), "access", "access-1")
    registry = CollectorRegistry()
    for collector in links.collectors():
        registry.register(collector)

    def ends(name: str) -> float | None:
        return registry.get_sample_value(
            "relaymesh_certificate_expires_seconds", {"certificate": name}
        )

    assert ends("access/access-1") == load(files).expires_s
    later = load(certs.issue("access", "access-1", days=700))
    in_days = (later.expires_s - dt.datetime.now(dt.UTC).timestamp()) / 24 / 3600
    assert round(in_days) == 700
    assert links.certificate == ("access/access-1", load(files).expires_s)
    links.use(later)
    assert links.certificate == ("access/access-1", later.expires_s)
