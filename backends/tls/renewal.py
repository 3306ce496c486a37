"""Keeps up with the certificate files of a node while it runs."""

import time
from collections.abc import Callable

import structlog
import trio

from backends.tls.credentials import Credentials, load
from backends.tls.errors import CertificateError
from backends.tls.files import Files
from proto.certificate_names import covers

log = structlog.get_logger()

LOOK_S = 1.0
"""Between two looks at the files: what is new is taken over when it has not changed since the last
look, since certificate and key are two files and one of them is replaced first."""


class Renewal:
    """The credentials that `node` of `role` uses now, as `files` had them when they were last of
    use.

    Raises `CertificateError` if they can't be used at the start, or are another node's.
    """

    def __init__(self, files: Files, role: str, node: str) -> None:
        self._files = files
        self._role = role
        self._node = node
        self._tried = self._seen = files.marks()
        self.current = self._load()
        self.failures = 0
        """How often new files could not be used."""
        self.take: Callable[[Credentials], None] = _nothing
        """Called with new credentials; may raise `CertificateError`, and they are refused."""
        self._tell()

    async def run(self) -> None:
        """Look at the files each second until cancelled."""
        while True:
            await trio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Load the files if they are new and were the same at the last look."""
        marks = await trio.to_thread.run_sync(self._files.marks)
        settled, self._seen = marks == self._seen, marks
        if settled and marks != self._tried:
            await self.reload()

    async def reload(self) -> None:
        """Load the files; what is in use stays so if they are of no use."""
        self._tried = self._seen = await trio.to_thread.run_sync(self._files.marks)
        try:
            new = self._load()
            self.take(new)
        except CertificateError as error:
            self.failures += 1
            log.error("certificate_refused", reason=str(error), in_use_until=self._until())
        else:
            self.current = new
            self._tell()

    def _load(self) -> Credentials:
        found = load(self._files)
        if not covers(found.name, self._role, self._node):
            raise CertificateError(
                f"cert_file: expected a certificate of {self._role}/{self._node}, "
                f"{self._files.cert_file} is of {found.name or 'nobody'}"
            )
        return found

    def _tell(self) -> None:
        says = {"certificate": self.current.name, "until": self._until()}
        if self.current.expires_s < time.time():
            log.error("certificate_expired", **says)
        else:
            log.info("certificate_loaded", **says)

    def _until(self) -> int:
        return int(self.current.expires_s)


def _nothing(_: Credentials) -> None:
    """Nobody waits for new credentials."""
