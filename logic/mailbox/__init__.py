"""Mailboxes: what was said comes to each user's mailbox, or on the hot stream of its group."""
