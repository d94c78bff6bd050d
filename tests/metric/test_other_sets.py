"""Metrics of data sets unlike Fashion-MNIST, by hand: grey 16 x 16 of three classes, colour 32 x 32 of five unequal."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.info import DatasetInfo
from fmcgan.metric.baselines import Baselines
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.feature.random_convolutions import RandomConvolutions
from fmcgan.metric.frechet import ClassFrechetDistance
from fmcgan.metric.gan_test import count_agreement
from fmcgan.metric.gan_train import NETWORKS, GanTrain
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.kernel import KernelDistance
from fmcgan.metric.manifold import Manifold
from fmcgan.metric.memorisation import Memorisation
from fmcgan.metric.ms_ssim import WithinClassMsSsim, ms_ssim, scale_weights
from fmcgan.metric.neighbours import nearest
from fmcgan.metric.results import by_class_as_markdown
from fmcgan.metric.results_store import Store
from fmcgan.metric.samples_file import read_samples
from fmcgan.metric.sliced_wasserstein import SlicedWasserstein
from fmcgan.metric.spectrum import FLOOR, Spectrum, n_rings, radial_power
from tests.metric.other_sets import COLOUR, GREY, SIZES, both, coloured, flat, noise, unequal

BOTH = pytest.mark.parametrize("info", [GREY, COLOUR], ids=["grey", "colour"])


class Level(FeatureNetwork):
    """The mean level of each channel."""

    name, version, num_features, batch_size = "level", "1", 3, 100

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        return {"features": images.float().mean(dim=(2, 3)).expand(-1, 3)}


def the(measured):
    (value,) = measured.values()
    return value


@BOTH
def test_a_flat_shift_is_as_far_as_its_levels(info):
    near, far = (flat(info, [level] * 12) for level in (50, 57))
    real = both(near)
    distance = Memorisation({}).measure(far, real)["nearest_training_pixels"]
    assert distance.value == pytest.approx(7, rel=1e-12)
    assert distance.by_class == pytest.approx([7] * info.num_classes)
    directions = torch.randn(500, info.pixels, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = 7 * (directions.sum(dim=1) / directions.norm(dim=1)).square().mean().sqrt().item()
    assert the(SlicedWasserstein(500).measure(far, real)).value == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(7, rel=0.1)


@BOTH
def test_the_unit_is_that_of_the_images(info):
    unit = "grey levels" if info is GREY else "levels"
    for metric, name in (
        (SlicedWasserstein(2), "sliced_wasserstein_pixels"),
        (Memorisation({}), "nearest_training_pixels"),
    ):
        metric.fit(both(flat(info, [1, 2])))
        assert metric.quantities[name].unit == unit


def test_the_distance_of_each_unequal_class_by_hand():
    """Class c moves by 2 c levels in three features that are alike: a distance of 12 c². One class has one image."""
    sizes = (6, 4, 9, 2, 1)
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    levels = [100 + place % 2 for size in sizes for place in range(size)]
    real = both(flat(COLOUR, levels, labels))
    moved = flat(COLOUR, [level + 2 * label for level, label in zip(levels, labels, strict=True)], labels)
    measured = the(ClassFrechetDistance({"level": Level()}).measure(moved, real))
    assert measured.by_class[:4] == pytest.approx([12 * c**2 for c in range(4)], abs=1e-3)
    assert measured.by_class[4] is None
    assert measured.value == pytest.approx(12 * (0 + 1 + 4 + 9) / 4, rel=1e-4)
    with pytest.raises(InvalidValueError, match=r"got fewer of jay$"):
        ClassFrechetDistance({"level": Level()}).measure(moved.of_classes([0, 2, 3, 4]), real)
    with pytest.raises(InvalidValueError, match="a class of at least 2 reference images"):
        ClassFrechetDistance({"level": Level()}).measure(moved, both(flat(COLOUR, [1, 2, 3])))


@BOTH
def test_the_spectrum_ends_at_the_nyquist_frequency(info):
    size, rings = info.size, info.size // 2 + 1
    assert n_rings(size) == rings
    stripes = torch.tensor([228, 28], dtype=torch.uint8).repeat(size // 2).expand(1, *info.shape).contiguous()
    power = radial_power(stripes)[0]
    at_the_end = sum(
        round(math.hypot(x, y)) == size // 2 for x in range(-size // 2, size // 2) for y in range(-size // 2, size // 2)
    )
    assert power[0].item() == pytest.approx((size * 128 / 255) ** 2, rel=1e-9)
    assert power[-1].item() == pytest.approx((size * 100 / 255) ** 2 / at_the_end, rel=1e-9)
    assert len(power) == rings
    metric = Spectrum()
    metric.fit(both(flat(info, [0, 0])))
    assert f"radii 0..{rings - 1}, " in metric.protocol
    expected = 10 * math.log10(size**2 / FLOOR) / math.sqrt(rings)
    assert the(metric.measure(flat(info, [255, 255]), both(flat(info, [0, 0])))).value == pytest.approx(expected)
    found = metric.findings(flat(info, [255, 255]), both(flat(info, [0, 0])))["spectrum"]
    assert found["radius"] == list(range(rings))


def test_the_power_of_colours_is_the_mean_of_the_channels():
    image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    image[:, 1] = 255
    assert radial_power(image)[0, 0].item() == pytest.approx(32**2 / 3, rel=1e-9)


def test_similarity_has_as_many_scales_as_the_images_hold():
    fine = (0.0448 / 0.3304, 0.2856 / 0.3304)
    assert scale_weights(16) == pytest.approx(fine)
    assert [len(scale_weights(size)) for size in (16, 24, 28, 32, 64)] == [2, 2, 3, 3, 3]
    a, b = flat(GREY, [100]).images, flat(GREY, [50]).images
    c1 = (0.01 * 255) ** 2
    assert ms_ssim(a, b).item() == pytest.approx(((2 * 100 * 50 + c1) / (100**2 + 50**2 + c1)) ** fine[1], rel=1e-6)
    metric = WithinClassMsSsim()
    metric.fit(both(flat(GREY, [1, 2])))
    assert "weights 0.135593, 0.864407" in metric.protocol


def test_similarity_of_unequal_classes():
    images = flat(COLOUR, [10] * 8, [0] * 5 + [1] * 2 + [4])
    measured = the(WithinClassMsSsim().measure(images, both(images)))
    assert [label for label in range(5) if measured.by_class[label] is not None] == [0, 1]
    assert measured.value == pytest.approx(1.0)


def test_counts_of_three_classes_by_hand():
    logits = torch.eye(3)[[0, 1, 1, 2]]
    assert count_agreement(torch.tensor([0, 1, 2, 2]), logits).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


@BOTH
def test_baselines_have_the_shape_and_the_classes_of_the_images(info, tmp_path):
    train = flat(info, [10, 20, 30, 13], [0, 1, 1, 0])
    baselines = Baselines(both(train), Store(tmp_path))
    means = baselines.images(SlicedWasserstein(2), "class_means", 4)
    assert means.images.flatten(1)[:, 0].tolist() == [12, 25, 12, 25]  # 11.5 is rounded to even
    assert baselines.images(SlicedWasserstein(2), "uniform_noise", 5).images.shape == (5, *info.shape)
    assert baselines.images(SlicedWasserstein(2), "shuffled_labels", 4).labels.bincount().tolist() == [2, 2]


def test_a_baseline_that_lacks_a_class_does_not_end_the_evaluation(tmp_path, caplog):
    """The training images have one owl, the test images many: within classes there is no baseline ``real``."""
    train, test = (noise(GREY, labels, seed) for seed, labels in ((1, [0] + [1, 2] * 9), (2, [0, 1, 2] * 6)))
    metrics = {"within": ClassFrechetDistance({"level": Level()})}
    evaluator = Evaluator(metrics, RealImages(train, test), 18, ("real", "uniform_noise"), Store(tmp_path))
    assert evaluator.floors() == {}
    (result,) = evaluator.measure(noise(GREY, [0, 1, 2] * 6, 3)).values()
    assert result["floor"] is None
    assert list(result["baselines"]) == ["uniform_noise"]
    assert "within is not measured on the baseline real: " in caplog.text


@BOTH
def test_metrics_of_features_group_by_the_classes_of_the_images(info):
    labels = [label for label in info.labels for _ in range(4 + label)]
    samples, real = noise(info, labels, 1, bootstrap_samples=10), both(noise(info, labels, 2))
    features = {"random": RandomConvolutions()}
    for metric in (Manifold(features), KernelDistance(features), Memorisation(features)):
        for name, value in metric.measure(samples, real).items():
            assert math.isfinite(value.value), name
            assert value.by_class is None or len(value.by_class) == info.num_classes


def test_random_features_see_colours_and_black_is_zero():
    network, images = RandomConvolutions(), unequal()
    swapped = ImageSet(images.images.flip(1), images.labels, COLOUR)
    assert not torch.allclose(network.features(images), network.features(swapped), rtol=0.01)
    assert network.features(images).shape == (29, 128)
    assert not network.features(flat(COLOUR, [0, 0])).any()
    assert network.features(flat(GREY, [9, 9])).shape == (2, 128)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [16, 20, 24, 36, 64])
def test_networks_of_gan_train_fit_every_shape(name, size):
    network = NETWORKS[name](3, size, 7)
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_gan_train_of_unequal_classes():
    labels = torch.tensor([label for label, size in enumerate(SIZES) for _ in range(8 * size)])
    test = coloured(torch.tensor([0, 0, 1, 2, 2, 4]), COLOUR, seed=9)
    score = GanTrain("logistic_regression", n=None, epochs=30, learning_rate=0.01)
    score.fit(both(test))
    assert score.min_samples == 500
    measured = the(score.measure(coloured(labels, COLOUR), RealImages(test, test)))
    assert measured.value == 1.0
    assert measured.by_class == (1.0, 1.0, 1.0, None, 1.0)
    other = GanTrain("logistic_regression", n=None, epochs=30, learning_rate=0.01)
    other.fit(both(flat(GREY, [1, 2])))
    assert other.protocol != score.protocol


def test_neighbours_of_many_pixels_are_exact_too():
    """Of images of 3,072 numbers a single level decides: a squared distance of 1 beside norms of 5·10⁷."""
    white = torch.full((1, 3072), 255, dtype=torch.uint8)
    almost = white.repeat(3, 1)
    almost[0, :2] -= 1
    almost[1, 100] -= 1
    almost[2, 3071] -= 2
    index, distance = nearest(torch.cat([white, almost, 255 - almost]), torch.cat([almost, 255 - almost]))
    assert index.tolist() == [1, 0, 1, 2, 3, 4, 5]
    assert distance.tolist() == [1.0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("last", [True, False])
def test_colour_samples_are_read_in_both_orders_of_axes(tmp_path, last):
    images = unequal()
    pixels = images.images.numpy()
    np.savez(tmp_path / "a.npz", images=np.moveaxis(pixels, 1, -1) if last else pixels, labels=images.labels.numpy())
    found, labels = read_samples(tmp_path / "a.npz", COLOUR)
    assert torch.equal(found, images.images)
    assert torch.equal(labels, images.labels)


@pytest.mark.parametrize("floats", [True, False])
def test_grey_samples_of_another_size_are_read(tmp_path, floats):
    images = noise(GREY, [0, 1, 2, 2])
    pixels = images.images.numpy() / 255 if floats else images.images[:, 0].numpy()
    np.savez(tmp_path / "a.npz", images=pixels, labels=images.labels.numpy())
    assert torch.equal(read_samples(tmp_path / "a.npz", GREY)[0], images.images)


@pytest.mark.parametrize(
    ("info", "shape", "labels", "told"),
    [
        (COLOUR, (4, 32, 32), [0] * 4, r"colour, \[N, 32, 32, 3\] or \[N, 3, 32, 32\] with .* got uint8 \[4, 32, 32\]"),
        (COLOUR, (4, 1, 32, 32), [0] * 4, r"got uint8 \[4, 1, 32, 32\]"),
        (GREY, (4, 28, 28), [0] * 4, r"grey, \[N, 16, 16\], \[N, 1, 16, 16\] or \[N, 16, 16, 1\]"),
        (GREY, (4, 256), [0] * 4, r"save images\.reshape\(-1, 16, 16\)"),
        (
            GREY,
            (4, 16, 16),
            [3] * 4,
            r"0\.\.2, one for each of the 4 images, got 3\.\.3;\nthe classes are 0 disc, 1 ring",
        ),
    ],
)
def test_samples_of_another_data_set_are_refused(tmp_path, info, shape, labels, told):
    np.savez(tmp_path / "a.npz", images=np.full(shape, 7, np.uint8), labels=labels)
    with pytest.raises(UserError, match=told):
        read_samples(tmp_path / "a.npz", info)


def test_pictures_in_colour_are_read_from_folders_named_by_class(tmp_path):
    pictures = unequal().images[:4]
    for folder, picture in zip(("owl", "1", "auk_puffin", "TIT"), pictures, strict=True):
        (tmp_path / folder).mkdir()
        Image.fromarray(picture.numpy().transpose(1, 2, 0)).save(tmp_path / folder / "0.png")
    images, labels = read_samples(tmp_path, COLOUR)
    assert torch.equal(images, pictures)
    assert labels.tolist() == [0, 1, 2, 4]
    (tmp_path / "grey" / "disc").mkdir(parents=True)
    Image.fromarray(pictures[0].numpy().transpose(1, 2, 0)).save(tmp_path / "grey" / "disc" / "0.png")
    with pytest.raises(UserError, match="is 32 x 32 pixels, expected 16 x 16"):
        read_samples(tmp_path / "grey", GREY)


def test_a_grey_picture_is_a_colour_of_equal_channels(tmp_path):
    (tmp_path / "owl").mkdir()
    picture = np.arange(1024, dtype=np.uint32).reshape(32, 32).astype(np.uint8)
    for name in ("0.png", "1.png"):
        Image.fromarray(picture).save(tmp_path / "owl" / name)
    images, _ = read_samples(tmp_path, COLOUR)
    assert np.array_equal(images[1].numpy(), np.stack([picture] * 3))


def test_many_classes_have_a_row_each():
    info = DatasetInfo("many", tuple(f"class {label}" for label in range(25)))
    result = {"by_class": [*map(float, range(24)), None], "floor_by_class": [1.0] * 25}
    lines = by_class_as_markdown({"x_10": result}, info.class_names).splitlines()
    assert len(lines) == 27
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["class", "x_10", "(real)"]
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["class 24", "-", "1"]
