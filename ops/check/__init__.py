"""`relaymesh check`: real clients join a running cluster and verify what it delivers."""

from ops.check.cli import command

__all__ = ["command"]
