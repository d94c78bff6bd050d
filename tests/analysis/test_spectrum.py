import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.findings import adjust_effects, select_findings
from fmcgan.analysis.section import Section
from fmcgan.analysis.spectrum import SpectrumAnalysis, _few_letters
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from fmcgan.metric.spectrum import Spectrum, decibels, radial_power
from tests.garments import garment_set

BANDS = {"fine_detail": slice(10, 15), "coarse_structure": slice(1, 5)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def analysed(real, store):
    """Analyses samples against the real data, or against other real images."""

    def analysed(samples: ImageSet, against: RealImages = real, **options) -> Section:
        return SpectrumAnalysis(**options).analyse(Subject(samples, against, None, None, 0, store))

    return analysed


def noise(n: int, seed: int) -> ImageSet:
    """Even grey levels, so that halves of them are exact; the classes in turn."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (n, 1, 28, 28), dtype=torch.uint8, generator=generator) & 0xFE
    return garment_set(images, torch.arange(n) % 10)


def blurred(images: ImageSet, amount: float) -> ImageSet:
    pixels = images.images.float()
    smooth = F.avg_pool2d(pixels, 3, stride=1, padding=1)
    return garment_set((pixels + amount * (smooth - pixels)).round().to(torch.uint8), images.labels)


def effect_of(section: Section, key: str):
    (found,) = [each for each in section.effects if each.key == key]
    return found


def bands_of(section: Section) -> dict[str, dict[str, float]]:
    """Rows of the table, by class and column."""
    names = [each.name for each in section.tables[0].columns]
    return {row[0]: dict(zip(names, row, strict=True)) for row in section.tables[0].rows}


def test_half_the_contrast_is_six_decibels_less_of_everything(analysed):
    """The same images at half their grey levels: -20 log10 2 dB in every ring, every class and every image."""
    real = noise(400, 0)
    section = analysed(garment_set(real.images // 2, real.labels), RealImages(real, noise(200, 1)))
    for row in bands_of(section).values():
        for band in BANDS:
            assert row[f"{band}_db"] == pytest.approx(-20 * math.log10(2), rel=1e-9)
            assert row[f"{band}_low"] < row[f"{band}_db"] < row[f"{band}_high"]
    heat_map = next(each for each in section.pictures if each.name == "classes").content
    assert {text.get_text() for text in heat_map.axes[0].texts} == {"\u22126.0"}
    effect = effect_of(section, "spectrum/all/fine_detail")
    assert effect.statement.startswith("Generated images have 6.0 dB [")
    assert effect.statement.endswith("] less fine detail (10 to 14 cycles per image) than real ones.")
    assert effect.beyond_floor


def test_twice_the_contrast_is_six_decibels_more(analysed):
    real = noise(400, 0)
    half = RealImages(
        garment_set(real.images // 2, real.labels), garment_set(noise(200, 1).images // 2, noise(200, 1).labels)
    )
    effect = effect_of(analysed(real, half), "spectrum/coat/coarse_structure")
    assert effect.statement.startswith("Generated coats have 6.0 dB [")
    assert effect.statement.endswith("] more coarse structure (1 to 4 cycles per image) than real ones.")
    low, high = map(float, effect.statement.partition("[")[2].partition("]")[0].split(", "))
    assert 0 < low < 6.0 < high


def test_blur_is_told_as_missing_fine_detail(analysed, real_train, real_test):
    """A little of it: what is missing is fine, and the number is that of the images themselves."""
    samples = blurred(real_test, 0.2)
    section = analysed(samples)
    told = [each for each in adjust_effects(section.effects) if each.holds]
    assert told[0].effect.key.endswith("/fine_detail")
    names = ("all", *GARMENTS.class_names)
    assert {each.effect.key for each in told} >= {f"spectrum/{name}/fine_detail" for name in names}
    assert all(" less " in each.effect.statement for each in told)
    levels = [decibels(radial_power(each.images))[:, 10:].mean(dim=1) for each in (samples, real_train)]
    expected = (levels[0].mean() - levels[1].mean()).item()  # both hold as many of each class
    assert expected < -0.5
    assert bands_of(section)["all"]["fine_detail_db"] == pytest.approx(expected, rel=1e-9)
    assert f"have {-expected:.1f} dB [" in effect_of(section, "spectrum/all/fine_detail").statement


def test_detail_that_one_class_lacks_is_told_of_this_class(analysed, real_test):
    pixels = real_test.images.clone()
    bags = real_test.of_class(8)
    pixels[bags] = blurred(real_test.subset(bags), 0.3).images
    told = select_findings(adjust_effects(analysed(garment_set(pixels, real_test.labels)).effects), max_per_section=30)
    assert told[0].effect.key == "spectrum/bag/fine_detail"
    assert told[0].effect.classes == (8,)
    assert {each.effect.classes for each in told} <= {(8,), ()}


def test_nothing_is_found_in_real_images(analysed, real_test):
    halves = [real_test.subset(torch.arange(start, start + 5000)) for start in (0, 5000)]
    for samples in (real_test, *halves):
        effects = analysed(samples).effects
        assert len(effects) == 2 * 11
        assert not any(each.holds for each in adjust_effects(effects))
        if samples is real_test:  # which is its own floor
            assert all(each.difference == each.floor for each in effects)


def test_how_many_of_each_class_there_are_does_not_matter(analysed, real_test):
    """Sandals have 10 dB more fine detail than pullovers; a set of many sandals is not told to have more of it."""
    counts = {0: 900, 1: 100, 2: 20, 5: 1000, 9: 5}
    samples = real_test.subset(torch.cat([real_test.of_class(label)[:n] for label, n in counts.items()]))
    section = analysed(samples)
    assert not any(each.holds for each in adjust_effects(section.effects))
    classes = {each.key.split("/")[1] for each in section.effects}
    assert classes == {"all", "t-shirt", "trouser", "pullover", "sandal"}
    assert bands_of(section)["all"]["samples"] == 2020
    upper, lower = next(each for each in section.pictures if each.name == "spectra").content.axes
    real, generated = (np.asarray(line.get_ydata()) for line in upper.lines[:2])
    assert np.asarray(lower.lines[0].get_ydata()) == pytest.approx(generated - real)
    assert np.abs(generated - real).max() < 0.4


def test_the_curves_are_the_mean_levels(analysed):
    real, samples = noise(300, 0), noise(200, 2)
    section = analysed(samples, RealImages(real, noise(200, 1)))
    upper = next(each for each in section.pictures if each.name == "spectra").content.axes[0]
    labels = [line.get_label() for line in upper.lines]
    assert labels == ["real (training)", "generated"]
    for line, images in zip(upper.lines, (real, samples), strict=True):
        expected = decibels(radial_power(images.images)).mean(dim=0).numpy()
        assert np.asarray(line.get_ydata()) == pytest.approx(expected, abs=1e-9)


def test_the_interval_holds_the_truth_as_often_as_it_says(analysed):
    """Both sets are of one distribution: no difference."""
    hits = []
    for seed in range(4):
        section = analysed(noise(150, 10 + seed), RealImages(noise(150, 50 + seed), noise(100, 90)))
        rows = [row for name, row in bands_of(section).items() if name != "all"]
        hits += [row[f"{band}_low"] < 0 < row[f"{band}_high"] for row in rows for band in BANDS]
    assert 0.85 < np.mean(hits) < 0.99


def test_real_power_is_kept_under_the_protocol_of_the_score(store):
    kept = Store(store.folder / "other")
    real, samples = (garment_set(noise(100, n).images, noise(100, n).labels, store=kept) for n in (0, 1))
    Spectrum().measure(samples, RealImages(real, real))
    written = sorted(path.name for path in kept.folder.iterdir())
    again = [garment_set(noise(100, n).images, noise(100, n).labels, store=kept) for n in (0, 1)]
    SpectrumAnalysis().analyse(Subject(again[1], RealImages(again[0], again[0]), None, None, 0, kept))
    assert sorted(path.name for path in kept.folder.iterdir()) == written


def test_black_images_have_no_detail(analysed):
    """They have the floor of the score everywhere, and no number is missing."""
    black = garment_set(torch.zeros(100, 1, 28, 28, dtype=torch.uint8), torch.arange(100) % 10)
    section = analysed(black, RealImages(noise(200, 0), noise(200, 1)))
    assert all(np.isfinite(row[1:]).all() for row in section.tables[0].rows)
    assert effect_of(section, "spectrum/all/fine_detail").beyond_floor


def test_too_few_samples_and_other_bands_are_refused(analysed):
    with pytest.raises(NotApplicable, match="at least 10 samples"):
        analysed(noise(90, 0), RealImages(noise(200, 1), noise(200, 2)))
    for options in ({"coarse_to": 10}, {"fine_from": 15}):  # garments have 14 radii, and fine detail from 10
        with pytest.raises(InvalidValueError, match=next(iter(options))):
            SpectrumAnalysis(**options).bands(GARMENTS)
    for options in ({"coarse_to": 10, "fine_from": 10}, {"fine_from": 33}, {"coarse_to": 0}, {"samples_a_class": 2}):
        with pytest.raises(InvalidValueError, match=next(iter(options))):
            SpectrumAnalysis(**options)


@pytest.mark.parametrize(
    ("value", "text"), [(0.44, "+.4"), (-0.06, "-.1"), (-1.26, "-1.3"), (9.94, "+9.9"), (9.96, "+10"), (-20.4, "-20")]
)
def test_decibels_take_few_letters(value, text):
    assert _few_letters(value) == text
