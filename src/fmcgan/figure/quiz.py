"""Samples mixed with real images, and the same picture with the real ones framed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL.Image import Image

from fmcgan.figure.grid import class_grid
from fmcgan.figure.palette import REAL


@dataclass(frozen=True)
class Quiz:
    """Two pictures of the same size."""

    question: Image
    answers: Image  # with the real images framed
    words: str  # which images are real, for screen readers


def draw_quiz(generated: NDArray[np.uint8], real: NDArray[np.uint8], row_names: Sequence[str], seed: int) -> Quiz:
    """Mixes the images of each row.

    Args:
        generated: uint8 [R, C, H, W] or [R, C, H, W, 3].
        real: of the same shape.
        row_names: of the R rows.
        seed: of the order within each row.
    """
    rows, columns = generated.shape[:2]
    random = np.random.Generator(np.random.Philox(seed))
    order = np.stack([random.permutation(2 * columns) for _ in range(rows)])
    mixed = np.concatenate([generated, real], axis=1)[np.arange(rows)[:, None], order]
    is_real = order >= columns
    coloured = mixed if mixed.ndim == 5 else np.repeat(mixed[..., None], 3, axis=-1)
    framed, blue = coloured.copy(), np.rint(255 * np.array(to_rgb(REAL))).astype(np.uint8)
    for side in (np.s_[:2, :], np.s_[-2:, :], np.s_[:, :2], np.s_[:, -2:]):
        framed[(is_real, *side)] = blue
    places = (
        f"{name}: {', '.join(str(place + 1) for place in np.flatnonzero(row))}"
        for name, row in zip(row_names, is_real, strict=True)
    )
    return Quiz(class_grid(mixed, row_names), class_grid(framed, row_names), "; ".join(places))
