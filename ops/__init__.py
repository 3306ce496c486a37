"""The `relaymesh` command: config, local cluster, logging, metrics, checks."""
