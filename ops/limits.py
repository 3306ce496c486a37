"""The system's limits on a node: raised to what the system permits."""

import contextlib
import resource

MOST_FILES = 1 << 20
"""A million connections; where the hard limit says infinity, systems still refuse more."""


def raise_file_limit() -> int:
    """Let this process open as many files as its hard limit permits; returns how many.

    A connection is a file, and the soft limit is 1,024 on many systems.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if wanted > soft != resource.RLIM_INFINITY:
        # macOS has a lower limit of its own behind the hard one: then the soft one stays.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
