"""Links over pynng: a polyamorous Pair1 socket listens, plain Pair1 sockets dial."""

import errno
from weakref import WeakSet

import trio

from backends.links.diagnosis import diagnose
from backends.links.flow import DIALER_WINDOW
from backends.links.interface import Certificate, Dialed, Endpoint
from backends.links.nng_ends import NngDialed, NngEnd, NngListener
from backends.links.nng_tls import SCHEME, dialer_config, listener_config
from backends.tls.credentials import Credentials


class NngLinks:
    """Makes links over `tcp://` (and whatever else nng has a transport for). Those it dials have
    `window` batches under way at most. With `credentials` all are `tls+tcp://`, and both sides must
    show a certificate.

    Raises `CertificateError` for credentials that can't be used.
    """

    def __init__(self, window: int = DIALER_WINDOW, credentials: Credentials | None = None) -> None:
        self._window = window
        self._credentials: Credentials | None = None
        self._dialing = self._listening = None
        self._dialers: WeakSet[NngEnd] = WeakSet()
        self._listeners: WeakSet[NngEnd] = WeakSet()
        if credentials is not None:
            self.use(credentials)

    @property
    def certificate(self) -> Certificate | None:
        """See `Links`."""
        shown = self._credentials
        return None if shown is None else Certificate(shown.name, shown.expires_s)

    def use(self, credentials: Credentials) -> None:
        """Shake hands with `credentials` from now on; open links stay as they are.

        Raises `CertificateError`, and changes nothing, for credentials that can't be used.
        """
        dialing, listening = dialer_config(credentials), listener_config(credentials)
        self._dialing, self._listening = dialing, listening
        self._credentials = credentials
        for end in tuple(self._dialers):
            end.secure(dialing)
        for end in tuple(self._listeners):
            end.secure(listening)

    async def dial(self, url: str) -> Dialed:
        """Connect to the listener at `url`, trying again until it is there."""
        self._require_secure(url)
        end = NngDialed(url, self._window, self._dialing)
        self._dialers.add(end)
        try:
            await end.connected()
        except BaseException:
            end.close()
            raise
        return end

    def listen(self, url: str) -> Endpoint:
        """Listen at `url`; raises `OSError` when it is in use or no address."""
        self._require_secure(url)
        end = NngListener(url, self._listening)
        self._listeners.add(end)
        return end

    async def explain(self, url: str) -> str:
        """See `Links`; takes up to three seconds."""
        return await trio.to_thread.run_sync(
            diagnose, url, self._credentials, abandon_on_cancel=True
        )

    def _require_secure(self, url: str) -> None:
        # Whoever can change an address must not be able to have us speak in the clear.
        if self._credentials is not None and not url.startswith(SCHEME):
            raise OSError(errno.EINVAL, f"{url}: expected {SCHEME}, since there is a certificate")
