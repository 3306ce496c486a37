"""The session list: a user's conversations, the latest activity first."""
