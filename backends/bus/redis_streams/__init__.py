"""The bus on Redis Streams: a stream a topic, a pack an entry.

What bounds a stream: publishing is refused while it holds `backlog_packs`. What every group has
acknowledged and is older than `retention_s` is trimmed, each second by the consumers and by a
publisher that was refused; nothing else ever is.

A stream is one partition: its order is that of publishing, and a group with several members keeps
it within each member. Entries of a member that was silent for `claim_after_s` go to another.
"""
