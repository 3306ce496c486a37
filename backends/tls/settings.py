"""The certificate with which a node takes part in the mesh: the table `tls`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from backends.tls.credentials import load
from backends.tls.files import Files


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mutual TLS on the mesh's links: all three files, or none for links that are not encrypted.
    `relaymesh certs` makes them. Files that are replaced are taken over within two seconds, and
    open links stay."""

    ca_file: Annotated[
        str,
        Meta(
            description="PEM file with the certificates of the authorities whose nodes are let in: "
            "the cluster's own, or two of them while one takes the other's place."
        ),
    ] = ""
    cert_file: Annotated[
        str,
        Meta(
            description="PEM file with this node's certificate and its chain. Its common name is "
            "ROLE/NODE, or ROLE/* for every node of the role; a relay's is for the host name "
            "`relay` too. Others are refused, by the node itself and by those that it links to."
        ),
    ] = ""
    key_file: Annotated[
        str,
        Meta(description="PEM file with the key of `cert_file` (EC or RSA), without a password."),
    ] = ""

    def __post_init__(self) -> None:
        """Refuse some of the files without the others, and files that can't be used."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        absent = [name for name, file in given.items() if not file]
        if len(absent) == len(given):
            return
        if absent:
            present = " and ".join(name for name in given if name not in absent)
            raise ValueError(f"{absent[0]}: must be given with {present}")
        load(self.files)

    @property
    def on(self) -> bool:
        """Whether links are encrypted."""
        return bool(self.cert_file)

    @property
    def files(self) -> Files:
        """The files by name."""
        return Files(self.ca_file, self.cert_file, self.key_file)


NO_TLS = TlsSettings()
