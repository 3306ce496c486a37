"""Mutual TLS of links over pynng: nng does it with Mbed TLS, below the messages."""

from typing import Any

import pynng
from pynng._nng import ffi, lib

from backends.links.interface import LISTENER_HOST
from backends.tls.credentials import Credentials
from backends.tls.errors import CertificateError

SCHEME = "tls+tcp://"

_PEER_NAME = b"tls-peer-cn"


def listener_config(credentials: Credentials) -> Any:
    """Return how a listener shakes hands; raises `CertificateError` for what nng can't use."""
    return _config(credentials, pynng.TLSConfig.MODE_SERVER)


def dialer_config(credentials: Credentials) -> Any:
    """Return how a dialer does: it wants a relay on the other side, at whatever address."""
    return _config(credentials, pynng.TLSConfig.MODE_CLIENT, server_name=LISTENER_HOST)


def peer_name(pipe: Any) -> str:
    """Return the common name in the certificate of a pipe's other side; "" where it has none."""
    found = ffi.new("char **")
    if lib.nng_pipe_get_string(pipe.pipe, _PEER_NAME, found):
        return ""
    try:
        name: bytes = ffi.string(found[0])
    finally:
        lib.nng_strfree(found[0])
    return name.decode("utf-8", "replace")


def _config(credentials: Credentials, mode: int, **more: str) -> Any:
    try:
        return pynng.TLSConfig(
            mode,
            ca_string=credentials.authorities,
            own_cert_string=credentials.chain,
            own_key_string=credentials.key,
            auth_mode=pynng.TLSConfig.AUTH_MODE_REQUIRED,
            **more,
        )
    except pynng.NNGException as error:
        file = credentials.files.cert_file
        raise CertificateError(f"cert_file: nng can't use {file}: {error}") from error
