"""Rendezvous hashing: who carries a room, agreed on by everybody without a word.

Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998): each candidate is
given a weight by hashing it together with the key, and the highest weight wins. When a candidate
goes, only what it carried moves, to the next in weight.
"""

from collections.abc import Iterable
from hashlib import blake2b


def ranked(key: str, candidates: Iterable[str]) -> list[str]:
    """Return `candidates` in the order in which they carry `key`: the carrier first."""
    return sorted(
        candidates, key=lambda candidate: (weight(key, candidate), candidate), reverse=True
    )


def carrier(key: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that carries `key`, or `None` when there is none."""
    return max(candidates, key=lambda candidate: (weight(key, candidate), candidate), default=None)


def weight(key: str, candidate: str) -> bytes:
    """Return the weight of `candidate` for `key`: the same on every node and in every version."""
    return blake2b(f"{candidate}\0{key}".encode(), digest_size=8).digest()
