"""The language of the cluster: frames, envelopes, records, priorities, errors. Pure values, no I/O."""
