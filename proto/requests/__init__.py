"""The requests of a client by subject: rooms, messages, contacts, groups, devices."""
