"""What the config says about TLS files that can't be used."""

from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ops.command import relaymesh


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    for name in ("own", "other"):
        leaf = authority.issue_cert("localhost")
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    key = load_pem_private_key((folder / "own.key").read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (folder / "locked.key").write_bytes(locked)
    (folder / "nonsense").write_text("no PEM at all")
    return folder


def check(folder: Path, cert: str, key: str, *more: str) -> tuple[int, str]:
    file = folder / "access.toml"
    names = {"tls_cert": cert, "tls_key": key}
    lines = [f'{key} = "{folder / name}"' for key, name in names.items() if name]
    file.write_text("\n".join([*more, "[access.edge]", *lines]))
    result = CliRunner().invoke(relaymesh, ["config", "check", str(file)])
    assert not result.exception or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


SECRET = ("[access.tokens]", 'secret = "0123456789012345678901234567890123456789"')


@pytest.mark.parametrize("more", [(), SECRET], ids=["without a secret", "whole"])
@pytest.mark.parametrize(
    ("cert", "key", "expected"),
    [
        ("own.crt", "", "access.edge.tls_key: must be given with tls_cert"),
        ("", "own.key", "access.edge.tls_cert: must be given with tls_key"),
        ("gone", "own.key", "access.edge.tls_cert: can't read {folder}/gone: No such file"),
        ("own.crt", "gone", "access.edge.tls_key: can't read {folder}/gone: No such file"),
        (".", "own.key", "access.edge.tls_cert: can't read {folder}: Is a directory"),
        ("nonsense", "own.key", "access.edge.tls_cert: expected certificates in PEM"),
        ("own.key", "own.key", "access.edge.tls_cert: expected certificates in PEM"),
        ("own.crt", "nonsense", "access.edge.tls_key: expected a private key in PEM"),
        ("own.crt", "locked.key", "access.edge.tls_key: expected a private key without a password"),
        ("own.crt", "other.key", "access.edge.tls_key: expected the key of the certificate in"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(
    folder: Path, cert: str, key: str, expected: str, more: tuple[str, ...]
) -> None:
    code, output = check(folder, cert, key, *more)
    assert code == 2
    assert output.startswith(f"Error: {expected.format(folder=folder)}")
    assert output.count("\n") == 1


def test_good_files_are_a_valid_config(folder: Path) -> None:
    assert check(folder, "own.crt", "own.key", *SECRET)[0] == 0
