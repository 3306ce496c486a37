"""The links of one node, with the certificate that its config names."""

from collections.abc import Sequence

from prometheus_client.registry import Collector

from backends.links.flow import DIALER_WINDOW
from backends.links.nng import NngLinks
from backends.tls.metrics import CertificateCollector
from backends.tls.renewal import Renewal
from backends.tls.settings import TlsSettings


class NodeLinks(NngLinks):
    """Makes the links of `node` as one of `role`, encrypted if `tls` names a certificate.

    Raises `CertificateError` for a certificate that can't be used, or is another node's.
    """

    def __init__(self, tls: TlsSettings, role: str, node: str, window: int = DIALER_WINDOW) -> None:
        self._renewal = Renewal(tls.files, role, node) if tls.on else None
        super().__init__(window, self._renewal.current if self._renewal is not None else None)
        if self._renewal is not None:
            self._renewal.take = self.use

    async def run(self) -> None:
        """Follow the certificate's files until cancelled."""
        if self._renewal is not None:
            await self._renewal.run()

    def collectors(self) -> Sequence[Collector]:
        """Return the collectors for `/metrics`."""
        return [CertificateCollector(self._renewal)] if self._renewal is not None else []
