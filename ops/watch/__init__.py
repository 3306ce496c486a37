"""`relaymesh status --watch`: a running cluster, looked at again and again in a terminal."""
