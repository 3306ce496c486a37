"""What goes wrong with certificate files."""


class CertificateError(ValueError):
    """Files that can't be used; the message starts with `tls_cert` or `tls_key` and names one."""
