"""What a config that changes while links are open can't change about them."""

from backends.tls.settings import TlsSettings


def refuse_change(tls: TlsSettings, *, encrypted: bool) -> None:
    """Raise `ValueError` where links are `encrypted` and are not to be so any longer, or the other
    way round: both sides would have to do it at once."""
    if tls.on != encrypted:
        raise ValueError("tls: encryption that begins or ends takes a restart")
