"""The subcommands of `relaymesh`, one file each; imported when they are called."""
