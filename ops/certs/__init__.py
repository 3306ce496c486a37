"""`relaymesh certs`: a cluster's own certificate authority, and certificates of its nodes."""
