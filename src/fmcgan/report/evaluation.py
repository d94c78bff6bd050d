"""The figures of one evaluation: what was read as what, scores by class, and the samples nearest to training images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fmcgan.app.attempts import Attempts
from fmcgan.figure.confusions import draw_agreement
from fmcgan.figure.bars import ClassBars, draw_class_bars
from fmcgan.figure.pairs import Pair, draw_pairs

AGREEMENT_FIGURE = "evaluation_agreement.png"
BY_CLASS_FIGURE = "evaluation_by_class.png"
CLOSEST_PAIRS_FIGURE = "evaluation_closest_pairs.png"


def draw_evaluation(
    results: Mapping[str, Mapping[str, Any]],
    findings: Mapping[str, Any],
    sample_images: NDArray[Any],
    training_images: NDArray[Any],
    folder: Path,
    attempts: Attempts | None = None,
) -> list[str]:
    """Draws what was found; a figure that nothing was found for is left out.

    Args:
        results: by the measurement's name; ``by_class`` and ``floor_by_class`` hold ten values or None.
        findings: ``agreement_matrix`` and ``closest_pairs``, where the scores give them.
        sample_images: uint8 [N, 28, 28], the images that ``closest_pairs`` names by number.
        training_images: uint8 [M, 28, 28], likewise.
        folder: where the figures go.
        attempts: takes the error of a figure that cannot be drawn; ``None`` ends at the first.

    Returns:
        The names of the figures.
    """
    for name in (AGREEMENT_FIGURE, BY_CLASS_FIGURE, CLOSEST_PAIRS_FIGURE):
        (folder / name).unlink(missing_ok=True)  # of an earlier evaluation
    panels = [_panel(name, result) for name, result in results.items() if result["by_class"] is not None]
    wanted: dict[str, Callable[[Path], None]] = {}
    if "agreement_matrix" in findings:
        wanted[AGREEMENT_FIGURE] = lambda path: draw_agreement(findings["agreement_matrix"], path)
    if panels:
        wanted[BY_CLASS_FIGURE] = lambda path: draw_class_bars(panels, path)
    if any(findings.get("closest_pairs", {}).values()):
        groups = {
            name: [_pair(pair, sample_images, training_images) for pair in pairs]
            for name, pairs in findings["closest_pairs"].items()
        }
        wanted[CLOSEST_PAIRS_FIGURE] = lambda path: draw_pairs(groups, path)
    attempts = attempts or Attempts(Exception)
    for name, draw in wanted.items():
        with attempts.of(name):
            draw(folder / name)
    return [name for name in wanted if name not in attempts.failed]


def _panel(name: str, result: Mapping[str, Any]) -> ClassBars:
    floor = result["floor_by_class"]
    better = "near real data" if result["better"] == "real" else result["better"]
    references = {"real data": floor} if floor is not None else {}
    return ClassBars(f"{name} ({better} is better)", result["by_class"], references)


def _pair(pair: Mapping[str, Any], samples: NDArray[Any], training: NDArray[Any]) -> Pair:
    return Pair(samples[pair["sample"]], training[pair["training"]], pair["distance"], pair["label"])
