"""Which files hold a certificate, and whether they are still the same ones."""

import os
from typing import NamedTuple

Mark = tuple[int, ...] | None


class Files(NamedTuple):
    """Paths: the authorities that are trusted, the own certificate with its chain, its key."""

    ca_file: str
    cert_file: str
    key_file: str

    def marks(self) -> tuple[Mark, ...]:
        """Return what tells the files from those that replace them."""
        return tuple(map(mark, self))


def mark(file: str) -> Mark:
    """Return what tells `file` from one that replaces it, `None` where there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
