"""Requests to servers of others: bounded in time and size, and signed where they know our key."""
