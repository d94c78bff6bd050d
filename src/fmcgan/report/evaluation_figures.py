"""Figures of an evaluation: confusion matrix, metrics by class, and samples closest to training images."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmcgan.analysis.scores import class_panel
from fmcgan.app.errors import Failures
from fmcgan.figure.confusions import draw_agreement
from fmcgan.figure.dots import draw_class_dots
from fmcgan.figure.files import FORMATS
from fmcgan.figure.pairs import Pair, draw_pairs
from fmcgan.metric.results import Results

AGREEMENT_FIGURE = "evaluation_agreement.png"
BY_CLASS_FIGURE = "evaluation_by_class.png"
CLOSEST_PAIRS_FIGURE = "evaluation_closest_pairs.png"


def draw_evaluation(
    results: Results,
    findings: Mapping[str, Any],
    sample_images: NDArray[np.uint8],
    training_images: NDArray[np.uint8],
    folder: Path,
    failures: Failures | None = None,
    *,
    names: Sequence[str],
) -> list[str]:
    """Draws the figures whose results are available, and returns their names.

    Args:
        results: of the metrics.
        findings: ``agreement_matrix`` and ``closest_pairs`` (indices of images), if the metrics return them.
        sample_images: uint8 [N, H, W] or [N, H, W, 3].
        training_images: uint8 [M, H, W] or [M, H, W, 3].
        folder: of the figures.
        failures: collects errors of figures; ``None``: errors are raised.
        names: of all classes.
    """
    for name in (AGREEMENT_FIGURE, BY_CLASS_FIGURE, CLOSEST_PAIRS_FIGURE):
        for format in FORMATS:  # of an earlier evaluation
            (folder / name).with_suffix(f".{format}").unlink(missing_ok=True)
    with_classes = {name: result for name, result in results.items() if result["by_class"] is not None}
    panels = [class_panel(name, result, names=names) for name, result in with_classes.items()]
    wanted: dict[str, Callable[[Path], None]] = {}
    if "agreement_matrix" in findings:
        wanted[AGREEMENT_FIGURE] = lambda path: draw_agreement(findings["agreement_matrix"], path, names=names)
    if panels:
        wanted[BY_CLASS_FIGURE] = lambda path: draw_class_dots(panels, path)
    if any(findings.get("closest_pairs", {}).values()):
        groups = {
            name: [
                Pair(sample_images[each["sample"]], training_images[each["training"]], each["distance"], each["label"])
                for each in pairs
            ]
            for name, pairs in findings["closest_pairs"].items()
        }
        wanted[CLOSEST_PAIRS_FIGURE] = lambda path: draw_pairs(groups, path, names=names)
    failures = failures or Failures(Exception)
    for name, draw in wanted.items():
        with failures.catch(name):
            draw(folder / name)
    return [name for name in wanted if name not in failures.failed]
