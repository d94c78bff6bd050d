"""Shares as people read them."""


def percent(share: float, digits: int = 0) -> str:
    """A share, 0..1, in words: ``percent(0.042, 1)`` is ``4.2 %``."""
    return f"{100 * share:.{digits}f} %"
