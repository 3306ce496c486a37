"""What every backend raises when the part behind it does not do its work."""


class StoreUnavailableError(Exception):
    """The store did not answer: what was asked may or may not have been done."""


class StoreOverloadedError(StoreUnavailableError):
    """More waits for the store than may wait: nothing was done."""


class StoreRefusedError(StoreUnavailableError):
    """The store answered that it can't do this very thing: asking again changes nothing."""
