"""Keeps up with certificate files that are replaced while the node runs."""

import ssl

import structlog
import trio

from access.edge.tls.certificate import Certificate, load
from backends.tls.errors import CertificateError
from backends.tls.files import Mark, mark

log = structlog.get_logger()

LOOK_S = 60.0
"""Between two looks at the files: whoever renews a certificate does it days ahead."""


class Renewal:
    """The certificate in use. Open connections keep the one that they began with.

    Raises `CertificateError` if the files can't be used at the start.
    """

    def __init__(self, cert_file: str, key_file: str) -> None:
        self._files = (cert_file, key_file)
        self._asked = trio.Event()
        self._tried = self._marks()
        self.current: Certificate = load(cert_file, key_file)
        self.failures = 0
        """How often new files could not be used."""

    def context(self) -> ssl.SSLContext:
        """Return the context of a handshake that begins now."""
        return self.current.context

    async def run(self) -> None:
        """Look each minute, and load when asked to, until cancelled."""
        while True:
            with trio.move_on_after(LOOK_S):
                await self._asked.wait()
            await (self.reload() if self._asked.is_set() else self.look())

    def ask(self) -> None:
        """Have the files loaded at once, changed or not: the config is read anew."""
        self._asked.set()

    async def look(self) -> None:
        """Load the files if they are not those of the last look."""
        if await trio.to_thread.run_sync(self._marks) != self._tried:
            await self.reload()

    async def reload(self) -> None:
        """Load the files; the old certificate stays in use if they are of no use."""
        self._asked = trio.Event()
        self._tried = await trio.to_thread.run_sync(self._marks)
        try:
            self.current = await trio.to_thread.run_sync(load, *self._files)
        except CertificateError as error:
            self.failures += 1
            log.error("certificate_refused", reason=str(error), in_use_until=self._until())
        else:
            log.info("certificate_loaded", file=self._files[0], until=self._until())

    def _until(self) -> int:
        return int(self.current.expires_s)

    def _marks(self) -> tuple[Mark, ...]:
        """Return what tells the files from those that replace them."""
        return tuple(map(mark, self._files))
