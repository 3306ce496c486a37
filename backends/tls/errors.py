"""What goes wrong with certificate files."""


class CertificateError(ValueError):
    """Files that can't be used; the message starts with the key that names the file."""
