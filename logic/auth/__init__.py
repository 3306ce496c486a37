"""Accounts and logins: who somebody is, and until when that counts (docs/auth.md)."""
