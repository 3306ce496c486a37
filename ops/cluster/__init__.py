"""The local cluster of `relaymesh up`: its plan, its folder, its processes."""
