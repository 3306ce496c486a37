"""`python -m ops` is the `relaymesh` command; the cluster starts its nodes this way."""

from ops.command import main

main()
