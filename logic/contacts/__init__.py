"""Contacts: friend requests, friends, blocks."""
