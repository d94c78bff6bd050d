import numpy as np
import pytest
import torch

from fmcgan.analysis.attributes import ATTRIBUTES, DEFINITIONS, attributes_of, measure_attributes
from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.bias import AttributeComparison, Bias
from fmcgan.analysis.findings import adjust_effects, select_findings
from fmcgan.analysis.section import Section
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results_store import Store
from tests.garments import garment_set

COAT, BAG = GARMENTS.parse_classes(["coat", "bag"])


@pytest.fixture(scope="module")
def analysed(real, tmp_path_factory):
    """Analyses samples against the real data, or against other real images."""
    store = Store(tmp_path_factory.mktemp("store"))

    def analysed(samples: ImageSet, against: RealImages = real, **options) -> Section:
        return Bias(**options).analyse(Subject(samples, against, None, None, 0, store))

    return analysed


def changed(images: ImageSet, label: int, change) -> ImageSet:
    """A set in which the images of a class are changed: float [N, 1, 28, 28] in, the same out."""
    pixels, rows = images.images.clone(), images.of_class(label)
    pixels[rows] = change(pixels[rows].float()).round().clamp(0, 255).to(torch.uint8)
    return garment_set(pixels, images.labels)


def effect_of(section: Section, key: str):
    (found,) = [each for each in section.effects if each.key == key]
    return found


@pytest.fixture(scope="module")
def darker_coats(analysed, real_test):
    return analysed(changed(real_test, COAT, lambda coats: 0.8 * coats))


def test_darkened_coats_are_the_first_finding(darker_coats, real_train, real_test):
    findings = select_findings(adjust_effects(darker_coats.effects))
    assert findings[0].effect.key == "bias/coat/brightness"
    assert {each.effect.classes for each in findings} == {(COAT,)}
    brightness = [attributes_of(each)["brightness"][each.of_class(COAT).numpy()] for each in (real_test, real_train)]
    statement = findings[0].effect.statement
    assert statement.startswith("Generated coats are darker than real ones: mean grey level ")
    first, second = (float(part.split(" [")[0].split()[-1]) for part in statement.split(" against "))
    assert second == round(brightness[1].mean())
    assert first == pytest.approx(0.8 * brightness[0].mean(), abs=3)  # some pixels fall below the threshold
    size = (0.8 * brightness[0].mean() - brightness[1].mean()) / brightness[1].std()
    assert findings[0].effect.difference.size == pytest.approx(size, abs=0.06)


def test_a_fault_of_several_classes_is_one_finding(analysed, real_test):
    """Coats lose a fifth of their light, bags and dresses a tenth."""
    samples = changed(real_test, COAT, lambda coats: 0.8 * coats)
    for label in (BAG, 3):
        samples = changed(samples, label, lambda images: 0.9 * images)
    findings = select_findings(adjust_effects(analysed(samples).effects))
    (finding,) = [each for each in findings if each.effect.key.endswith("/brightness")]
    assert finding is findings[0]
    assert finding.classes[0] == COAT
    assert set(finding.classes) == {COAT, BAG, 3}
    assert finding.statement.startswith(
        "In 3 of 10 classes, generated images are darker than real ones, most of all coats: mean grey level "
    )
    shown = finding.effect.examples()
    assert shown.generated.shape == shown.real.shape == (6, 28, 28)
    for images in (shown.generated, shown.real):  # from dark to bright
        assert list(measured := measure_attributes(images[:, None])["brightness"]) == sorted(measured)


def test_nothing_is_found_in_real_images(analysed, real_test):
    halves = [real_test.subset(torch.arange(start, start + 5000)) for start in (0, 5000)]
    for samples in (real_test, *halves):
        effects = analysed(samples).effects
        assert not any(each.holds for each in adjust_effects(effects))
        if samples is real_test:  # which is its own floor
            assert all(each.difference == each.floor for each in effects)


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_nothing_is_found_in_few_real_images(analysed, real_test, seed):
    """Ten of a class are often all 28 pixels high, as most real ones are, or one of them is far from all others."""
    order = torch.randperm(len(real_test), generator=torch.Generator().manual_seed(seed))
    effects = analysed(real_test.subset(order).balanced(100)).effects
    assert len(effects) > 100
    assert not any(each.holds for each in adjust_effects(effects))


def test_bags_that_vary_less_in_height_are_found(analysed, real_test):
    """Of all bags the 300 whose height is nearest to the median."""
    bags = real_test.of_class(BAG)
    heights = attributes_of(real_test)["height"][bags.numpy()]
    middle = bags[torch.from_numpy(np.abs(heights - np.median(heights)).argsort(kind="stable")[:300].copy())]
    section = analysed(real_test.subset(torch.cat([real_test.of_class(COAT), middle])))
    found = effect_of(section, "bias/bag/height_spread")
    assert found.statement.startswith("Generated bags vary less in height than real ones: standard deviation ")
    assert found.statement.endswith(" pixels.")
    assert found in [each.effect for each in select_findings(adjust_effects(section.effects))]


def test_what_is_shown(darker_coats):
    classes, attributes = len(GARMENTS.class_names), len(ATTRIBUTES)
    assert len(darker_coats.effects) == len({each.key for each in darker_coats.effects}) == 2 * classes * attributes
    assert [each.name for each in darker_coats.pictures if each.lead] == ["means"]
    assert {each.figure for each in darker_coats.effects} == {"means", "spreads"}
    assert {"means", "spreads"} < {each.name for each in darker_coats.pictures}
    captions = " ".join(each.caption for each in darker_coats.pictures)
    assert all(f"{each.name}: {DEFINITIONS[each.name]}" in captions for each in ATTRIBUTES)
    axes = next(each for each in darker_coats.pictures if each.name == "means").content.axes[0]
    bold = {(round(t.get_position()[0]), round(t.get_position()[1])) for t in axes.texts if t.get_weight() == "bold"}
    assert (0, COAT) in bold
    assert {row for _, row in bold} == {COAT}
    for table in darker_coats.tables:
        assert all(len(row) == len(table.columns) == len({each.name for each in table.columns}) for row in table.rows)


def test_the_table_holds_what_was_measured(darker_coats, real_train):
    means, spreads = darker_coats.tables
    names = [each.name for each in means.columns]
    row = dict(zip(names, next(row for row in means.rows if row[:2] == ("dress", "width")), strict=True))
    widths = attributes_of(real_train)["width"][real_train.of_class(3).numpy()]
    assert row["train"] == pytest.approx(widths.mean())
    assert row["train_low"] < row["train"] < row["train_high"]
    assert row["p"] <= row["adjusted_p"] <= 1
    assert row["beyond_floor"] == "no"
    row = dict(zip(names, next(row for row in spreads.rows if row[:2] == ("dress", "width")), strict=True))
    assert row["train"] == pytest.approx(widths.std(ddof=1))


def test_few_samples_black_ones_and_missing_classes(analysed, real_test):
    """Of bags ten are left, dresses are all black, boots are too few: black garments have an area and nothing else."""
    rows = [real_test.of_class(3)[:50], real_test.of_class(BAG)[:10], real_test.of_class(9)[:9]]
    samples = changed(real_test.subset(torch.cat(rows)), 3, torch.zeros_like)
    section = analysed(samples)
    attributes = {each.key.split("/", 1)[1] for each in section.effects}
    assert attributes == {"dress/area", "dress/area_spread"} | {
        f"bag/{each.name}{end}" for each in ATTRIBUTES for end in ("", "_spread")
    }
    found = effect_of(section, "bias/dress/area")
    assert found.statement.startswith(
        "Generated dresses fill less of the image than real ones: mean share of the pixels 0.0 [0.0, 0.0] against "
    )
    assert found.beyond_floor
    assert all(value is None or value == value for table in section.tables for row in table.rows for value in row)


def test_too_few_samples_of_every_class(analysed, real_test):
    with pytest.raises(NotApplicable, match="at least 10 samples"):
        analysed(real_test.balanced(90))
    with pytest.raises(ValueError, match="samples_a_class must be a whole number of at least 3, got 2"):
        Bias(samples_a_class=2)


def test_the_same_subject_gives_the_same_effects_and_the_random_state_stays(analysed, real_test):
    samples = real_test.subset(real_test.of_class(COAT)[:100])
    against = RealImages(real_test.balanced(500), real_test.balanced(300))
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = analysed(samples, against).effects
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    again = garment_set(samples.images, samples.labels)
    assert analysed(again, against).effects == first


def test_what_never_varies_in_real_images_has_no_percentage():
    width = next(each for each in ATTRIBUTES if each.name == "width")
    real = np.full(20, 28.0)
    assert AttributeComparison(GARMENTS, 0, width, False, np.linspace(20, 28, 20), real, real).shift == 0
