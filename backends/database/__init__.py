"""The database: conversations, messages, mailboxes, people. SQLite embedded, or PostgreSQL."""
