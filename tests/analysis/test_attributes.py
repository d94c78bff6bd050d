import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from fmcgan.analysis.attributes import (
    ATTRIBUTES,
    EDGE,
    SHAPE,
    attributes_of,
    has_black_background,
    mean_of,
    measure_attributes,
    spread_of,
)
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.image_set import ImageSet
from fmcgan.metric.results_store import Store
from tests.garments import garment_set


def drawn(*rectangles: tuple[slice, slice, int]) -> np.ndarray:
    """One image of rectangles: rows, columns, grey level."""
    image = np.zeros((1, 1, 28, 28), dtype=np.uint8)
    for rows, columns, grey in rectangles:
        image[0, 0, rows, columns] = grey
    return image


def measured(image: np.ndarray) -> dict[str, float]:
    return {name: values.item() for name, values in measure_attributes(image).items()}


def test_a_rectangle():
    """10 x 20 pixels of grey 100: the slope is 50 at its sides and 37.5 √2 at its corners, so its 56 outermost pixels
    are edges, and within it is flat."""
    found = measured(drawn((slice(4, 14), slice(6, 26), 100)))
    assert found == pytest.approx(
        {
            "brightness": 100,
            "area": 100 * 200 / 784,
            "width": 20,
            "height": 10,
            "symmetry": 1,
            "edges": 100 * 56 / 200,
            "texture": 0,
        }
    )
    assert list(found) == [each.name for each in ATTRIBUTES]


def test_a_faint_rectangle_has_no_edges():
    """Grey 50: a slope of 25 at its sides, 26.5 at its corners."""
    assert measured(drawn((slice(4, 14), slice(6, 26), 50)))["edges"] == 0
    assert 37.5 / 2 * math.sqrt(2) < EDGE


def test_what_fills_the_image_ends_at_its_border():
    """White everywhere: beyond the border it is black, so the 108 pixels at the border are edges."""
    found = measured(np.full((1, 1, 28, 28), 255, dtype=np.uint8))
    expected = {"brightness": 255, "area": 100, "width": 28, "height": 28, "symmetry": 1, "texture": 0}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["edges"] == pytest.approx(100 * 108 / 784)


def test_the_background_does_not_count():
    """Noise below the threshold changes nothing; at the threshold it is garment."""
    clean = drawn((slice(4, 14), slice(6, 26), 100))
    noisy = np.maximum(clean, SHAPE - 1)
    assert measured(noisy) == measured(clean)
    speck = np.maximum(clean, drawn((slice(0, 1), slice(0, 1), SHAPE)))
    assert measured(speck)["width"] == 26
    assert measured(speck)["height"] == 14
    assert measured(speck)["brightness"] == pytest.approx((200 * 100 + SHAPE) / 201)


def test_a_black_image_has_an_area_only():
    found = measured(drawn((slice(0, 28), slice(0, 28), SHAPE - 1)))
    assert found.pop("area") == 0
    assert all(math.isnan(value) for value in found.values())


def test_a_line_has_no_texture():
    assert math.isnan(measured(drawn((slice(4, 6), slice(2, 20), 200)))["texture"])


@pytest.mark.parametrize("first_column", [0, 1, 9, 18])
def test_symmetry_is_about_the_middle_of_the_garment(first_column):
    """Left half 100, right half 50: each of n pixels differs by 50 from its mirror image and Σx = 75 n."""
    whole = slice(first_column, first_column + 10)
    half = slice(first_column + 5, first_column + 10)
    assert measured(drawn((slice(3, 8), whole, 100), (slice(3, 8), half, 50)))["symmetry"] == pytest.approx(2 / 3)
    assert measured(drawn((slice(3, 8), whole, 100)))["symmetry"] == 1


def test_without_overlap_symmetry_is_0():
    assert measured(drawn((slice(3, 8), slice(0, 5), 90), (slice(10, 15), slice(20, 25), 90)))["symmetry"] == 0


def test_mirrored_images_differ_in_nothing(real_test):
    images = real_test.images[:200].numpy()
    mirrored = measure_attributes(images[..., ::-1].copy())
    for name, values in measure_attributes(images).items():
        assert mirrored[name] == pytest.approx(values, rel=1e-6, nan_ok=True), name


def test_the_texture_of_a_chessboard_is_its_contrast():
    """Each inner pixel differs by 40 from all four neighbours; the operator of Sobel does not see a chessboard."""
    image = drawn((slice(4, 14), slice(6, 26), 140))
    image[0, 0, 4:14, 6:26] -= (40 * (np.indices((10, 20)).sum(axis=0) % 2)).astype(np.uint8)
    found = measured(image)
    assert found["texture"] == pytest.approx(40)
    assert found["brightness"] == pytest.approx(120)
    inner = 8 * 18
    assert found["edges"] == pytest.approx(100 * (200 - inner) / 200)


def test_slopes_are_those_of_scipy(real_test):
    """Each image by itself through `ndimage.sobel`, and through `ndimage.laplace`."""
    images = real_test.images[:30].numpy()
    found = measure_attributes(images)
    for place, image in enumerate(images[:, 0]):
        garment = image >= SHAPE
        grey = np.where(garment, image, 0).astype(float)
        slope = np.hypot(ndimage.sobel(grey, 0, mode="constant"), ndimage.sobel(grey, 1, mode="constant")) / 8
        assert found["edges"][place] == pytest.approx(100 * (slope > EDGE)[garment].mean())
        inner = ndimage.binary_erosion(garment)
        assert inner.any()
        grain = np.abs(ndimage.laplace(grey, mode="constant")) / 4
        assert found["texture"][place] == pytest.approx(grain[inner].mean(), rel=1e-6)


def test_images_are_measured_one_by_one(real_test):
    images = real_test.images[:1203].numpy()
    whole, some = measure_attributes(images), measure_attributes(images[490:510])
    for name, values in some.items():
        assert np.array_equal(whole[name][490:510], values, equal_nan=True), name
    again = attributes_of(garment_set(torch.from_numpy(images), real_test.labels[:1203]))
    assert all(np.array_equal(again[name], whole[name], equal_nan=True) for name in whole)


@pytest.mark.parametrize(
    "images",
    [np.zeros((3, 28, 28), np.uint8), np.zeros((3, 1, 28, 28), np.float32), np.zeros((0, 1, 28, 28), np.uint8)],
)
def test_other_arrays_are_refused(images):
    with pytest.raises(ValueError, match=r"uint8 \[N, 1 or 3, H, W\]"):
        measure_attributes(images)


def test_means_and_spreads_with_their_intervals():
    """Of 1, 2, 3, 4: mean 2.5 and variance 5/3; their kurtosis is 1.64, so ln s varies by 0.64 / 16."""
    values = np.array([1.0, 2, 3, 4])
    mean, spread = mean_of(values), spread_of(values)
    half = 1.959964 * math.sqrt(5 / 3 / 4)
    assert mean == pytest.approx((2.5, 2.5 - half, 2.5 + half), rel=1e-6)
    factor = math.exp(1.959964 * 0.2)
    sigma = math.sqrt(5 / 3)
    assert spread == pytest.approx((sigma, sigma / factor, sigma * factor), rel=1e-6)
    assert spread.in_words(2) == "1.29 [0.87, 1.91]"
    assert spread_of(np.full(4, 7.0)) == (0, 0, 0)


def test_the_interval_of_a_spread_holds_the_truth_as_often_as_it_says():
    """Also where tails are heavier than normal."""
    draws = stats.laplace.rvs(size=(1000, 400), random_state=0)
    hits = [found.low < math.sqrt(2) < found.high for found in map(spread_of, draws)]
    assert 0.9 < np.mean(hits) < 0.98


def test_without_a_black_background_the_shape_is_the_whole_image(tmp_path):
    """A white square of 8 x 8 pixels on backgrounds of 0 to 60: a threshold would find its width on dark ones alone."""
    levels = torch.arange(0, 61, 3, dtype=torch.uint8)
    images = levels[:, None, None, None].repeat(1, 3, 16, 16)
    images[:, :, 4:12, 4:12] = 255
    info = DatasetInfo("squares", ("a", "b"), channels=3, size=16)
    squares = ImageSet(images, torch.arange(21) % 2, info, store=Store(tmp_path))
    assert not has_black_background(squares)
    found = attributes_of(squares, black=False)
    assert (found["area"] == 100).all()
    assert (found["width"] == 16).all()
    assert found["brightness"] == pytest.approx((64 * 255 + 192 * levels.double().numpy()) / 256)
    thresholded = attributes_of(squares)
    assert set(thresholded["width"]) == {8, 16}
    assert has_black_background(squares.subset(torch.arange(6)))  # backgrounds of 0 to 15


def test_garments_are_on_black(real_test):
    assert has_black_background(real_test)
