"""TensorBoard files of an analysis: a map for the projector, and the confusion matrix."""

import io
import shutil
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from fmcgan.analysis.section import Map
from fmcgan.figure.files import png_bytes

MOST_POINTS = 2000
"""Maximum number of images of a map: a sprite of 45 x 45 images has up to 2,880 pixels a side; browsers load 8,192."""
STEP = "00000"  # folder of step 0 of `SummaryWriter.add_embedding`


def write_projector(points: Map, folder: Path) -> None:
    """Writes the vectors, classes, origins and images of a map for the tab *Projector* of TensorBoard.

    Args:
        points: a map with vectors; at most `MOST_POINTS` images are taken, evenly spaced.
        folder: for the event file and ``projector_config.pbtxt``, one map per folder; created if missing. A map of
            this name is replaced.

    Raises:
        ValueError: the map has no vectors.
        OSError: the folder cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter  # slow to import

    if points.vectors is None:
        raise ValueError(f"the projector needs a map with vectors, got {points.name} without")
    n = len(points.labels)
    index = np.linspace(0, n - 1, min(n, MOST_POINTS)).round().astype(np.int64)
    origins = ["generated" if each else "real" for each in points.generated[index]]
    classes = [points.names[label] for label in points.labels[index]]
    # The writer multiplies by 255 and truncates; half a grey level restores the level.
    images = (torch.from_numpy(points.images[index]).double() + 0.5) / 255
    shutil.rmtree(folder / STEP / points.name, ignore_errors=True)
    with SummaryWriter(str(folder)) as writer:
        writer.add_embedding(  # type: ignore[no-untyped-call]
            np.ascontiguousarray(points.vectors[index]),
            metadata=[list(pair) for pair in zip(classes, origins, strict=True)],
            metadata_header=["class", "origin"],
            label_img=images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2),
            tag=points.name,
        )


def write_agreement(agreement: Figure, folder: Path) -> None:
    """Adds the confusion matrix to the tab *Images* of TensorBoard.

    Args:
        agreement: the figure, of `agreement_figure`.
        folder: of the event file; created if missing.

    Raises:
        OSError: the folder cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter

    pixels = np.asarray(Image.open(io.BytesIO(png_bytes(agreement))).convert("RGB"))  # uint8 [H, W, 3]
    with SummaryWriter(str(folder)) as writer:
        # `add_figure` would use pyplot and its global state.
        writer.add_image("agreement", pixels, dataformats="HWC")  # type: ignore[no-untyped-call]
