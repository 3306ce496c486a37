"""The language of the cluster: frames, envelopes, records, errors. Pure values, no I/O."""
