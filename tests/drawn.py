"""Drawn garments, which are the same ones for the same numbers, are drawn once in a process."""

from collections.abc import Callable

from fmcgan.data.synthetic import SyntheticData


def remembering(load: Callable) -> Callable:
    """Returns a ``SyntheticData.load`` that remembers what it has drawn."""
    known = {}

    def drawn(data: SyntheticData):
        key = data.n_train, data.n_test, data.drawing_seed
        if key not in known:
            known[key] = load(data)
        return known[key]

    return drawn
