"""A map of images for TensorBoard's projector, where it can be turned in three dimensions, and pictures beside it."""

import io
import shutil
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.figure.confusions import agreement_figure
from fmcgan.figure.png import png_bytes

MOST_POINTS = 2000
"""Images of a map: 45 x 45 of them are a sprite of 1,260 pixels a side, where browsers load up to 8,192."""
STEP = "00000"
"""The folder in which `SummaryWriter.add_embedding` puts what belongs to step 0."""


def write_projector(points: Map, folder: Path) -> None:
    """Writes the vectors, classes, origins and images of a map for the tab *Projector* of TensorBoard.

    Args:
        points: a map with vectors; of more than `MOST_POINTS` images so many are taken, evenly spaced.
        folder: of the event file and of ``projector_config.pbtxt``, one map a folder; made if it is missing. An earlier
            map of this name in it is replaced.

    Raises:
        ValueError: the map has no vectors.
        OSError: the folder cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter  # takes a second to import

    if points.vectors is None:
        raise ValueError(f"the projector needs the vectors of a map, and {points.name} has none")
    n = len(points.labels)
    index = np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(np.int64)
    origins = ["generated" if each else "real" for each in points.generated[index]]
    classes = [CLASS_NAMES[label] for label in points.labels[index]]
    # The writer multiplies by 255 and cuts off what is behind the point: half a grey level more gives the level itself.
    images = (torch.from_numpy(points.images[index]).double() + 0.5) / 255
    shutil.rmtree(folder / STEP / points.name, ignore_errors=True)
    with SummaryWriter(str(folder)) as writer:
        writer.add_embedding(  # type: ignore[no-untyped-call]
            np.ascontiguousarray(points.vectors[index]),
            metadata=[list(pair) for pair in zip(classes, origins, strict=True)],
            metadata_header=["class", "origin"],
            label_img=images[:, None],
            tag=points.name,
        )


def write_agreement(agreement: Figure | ArrayLike, folder: Path) -> None:
    """Adds the table of classes asked for and classes read to the tab *Images* of TensorBoard.

    Args:
        agreement: the figure, or the counts that `agreement_figure` draws, [10, 10].
        folder: of the event file; made if it is missing.

    Raises:
        ValueError: counts are no whole numbers of at least 0, or of another shape.
        OSError: the folder cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter

    figure = agreement if isinstance(agreement, Figure) else agreement_figure(agreement)
    with SummaryWriter(str(folder)) as writer:
        # Not `add_figure`, which goes through pyplot and its global state.
        writer.add_image("agreement", _pixels(figure), dataformats="HWC")  # type: ignore[no-untyped-call]


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(png_bytes(figure))).convert("RGB"))
