"""Several processes of one role behind one port: planned, kept running, shown as one."""
