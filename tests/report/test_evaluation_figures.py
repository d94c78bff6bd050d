import numpy as np
import pytest
from PIL import Image

from fmcgan.app.errors import Failures
from fmcgan.data.garments import GARMENTS
from fmcgan.report.evaluation_figures import (
    AGREEMENT_FIGURE,
    BY_CLASS_FIGURE,
    CLOSEST_PAIRS_FIGURE,
    draw_evaluation,
)

NAMES = GARMENTS.class_names
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
PAIR = {"sample": 3, "training": 7, "distance": 1.5, "label": 8}


def files_of(drawn):
    """Files of figures; charts are also SVG and PDF."""
    charts = {name.replace(".png", suffix) for name in {*drawn} - {CLOSEST_PAIRS_FIGURE} for suffix in (".svg", ".pdf")}
    return sorted({*drawn} | charts)


def result(by_class):
    return {
        "value": 1.0,
        "better": "real",
        "by_class": by_class,
        "floor_by_class": None if by_class is None else [1] * 10,
    }


def test_only_what_was_found_is_drawn(tmp_path):
    assert draw_evaluation({"a": result(None)}, {}, IMAGES, IMAGES, tmp_path, names=NAMES) == []
    assert list(tmp_path.iterdir()) == []
    assert draw_evaluation({"a": result([None] * 10)}, {}, IMAGES, IMAGES, tmp_path, names=NAMES) == [BY_CLASS_FIGURE]


def test_all_figures(tmp_path):
    findings = {"agreement_matrix": np.eye(10, dtype=int).tolist(), "closest_pairs": {"pixels": [PAIR]}}
    drawn = draw_evaluation({"a": result([0.5] * 10)}, findings, IMAGES, IMAGES[::-1], tmp_path, names=NAMES)
    assert drawn == [AGREEMENT_FIGURE, BY_CLASS_FIGURE, CLOSEST_PAIRS_FIGURE]
    assert sorted(path.name for path in tmp_path.iterdir()) == files_of(drawn)


@pytest.mark.parametrize(("images", "number"), [("sample_images", 3), ("training_images", 7)])
def test_the_pair_shows_the_images_that_the_numbers_name(tmp_path, images, number):
    both = {"sample_images": IMAGES, "training_images": IMAGES[::-1]}
    draw_evaluation({}, {"closest_pairs": {"pixels": [PAIR]}}, **both, folder=tmp_path, names=NAMES)
    picture = np.asarray(Image.open(tmp_path / CLOSEST_PAIRS_FIGURE).convert("L"))
    wanted = both[images][number].repeat(3, axis=0).repeat(3, axis=1)  # magnified three times
    windows = np.lib.stride_tricks.sliding_window_view(picture, wanted.shape)
    assert (windows == wanted).all(axis=(2, 3)).sum() == 1


def test_a_figure_that_fails_leaves_the_others(tmp_path):
    findings = {"agreement_matrix": [[0.5]], "closest_pairs": {"pixels": [PAIR]}}
    failures = Failures()
    drawn = draw_evaluation({"a": result([0.5] * 10)}, findings, IMAGES, IMAGES, tmp_path, failures, names=NAMES)
    assert drawn == [BY_CLASS_FIGURE, CLOSEST_PAIRS_FIGURE]
    assert sorted(path.name for path in tmp_path.iterdir()) == files_of(drawn)
    assert failures.failed[AGREEMENT_FIGURE].startswith("ValueError: counts must be")
    with pytest.raises(ValueError, match="counts must be"):
        draw_evaluation({"a": result(None)}, findings, IMAGES, IMAGES, tmp_path, names=NAMES)
