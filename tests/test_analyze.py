"""The analysis as a whole: planted faults are among the first told, and of real images there is nothing to tell."""

import json

import numpy as np
import pytest
import torch

from fmcgan.analysis.clustering.clusters import vectors_of
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.base import RealImages
from fmcgan.metric.image_set import ImageSet, class_balanced
from tests.garments import garment_set

TELLING = ("confusions", "clusters", "bias", "holes", "neighbours", "two_sample", "spectrum")
"""The parts that measure effects."""
N = 2000
BAG, COAT, SANDAL, SNEAKER = GARMENTS.parse_classes(["bag", "coat", "sandal", "sneaker"])


@pytest.fixture(scope="module")
def parts():
    """All parts that measure effects, as the command has them but for what takes longest in one with its own tests.

    Detectors are trained for less time, and fewer images are drawn with what they look at.
    """
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    from fmcgan.app.config_dir import config_dir

    shorter = ("analysis.two_sample.images_shown=3200", "analysis.two_sample.occluded_per_class=1")
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return instantiate(compose("analyze", [f"analysis=[{','.join(TELLING)}]", *shorter]).analysis)


@pytest.fixture(scope="module")
def held_out(real_train):
    """Training images that the samples below are made of: the floor, of test images, knows nothing of them."""
    return garment_set(real_train.images[-10_000:], real_train.labels[-10_000:])


@pytest.fixture(scope="module")
def known(real_train, real_test):
    """The real images that samples are compared with."""
    test = garment_set(real_test.images[:4000], real_test.labels[:4000])
    return RealImages(garment_set(real_train.images[:6000], real_train.labels[:6000]), test)


@pytest.fixture(scope="module")
def subject_of(known, tmp_path_factory):
    from fmcgan.analysis.base import Subject
    from fmcgan.metric.results_store import Store

    store = Store(tmp_path_factory.mktemp("store"))
    return lambda images, labels: Subject(garment_set(images, labels), known, None, None, 0, store)


@pytest.fixture(scope="module")
def findings_of(parts, subject_of):
    """Analyses images with all telling parts; what was found, the largest first."""
    from fmcgan.analysis.findings import adjust_effects, select_findings

    def findings_of(images, labels):
        subject = subject_of(images, labels)
        effects = [effect for part in parts.values() for effect in part.analyse(subject).effects]
        return [each.effect for each in select_findings(adjust_effects(effects))]

    return findings_of


@pytest.fixture
def plain(held_out):
    """Real images, as a faultless sampler would give them."""
    chosen = class_balanced(held_out.labels, N)
    return held_out.images[chosen].clone(), held_out.labels[chosen].clone()


def test_nothing_is_found_in_real_images(findings_of, plain):
    assert findings_of(*plain) == []


def test_swapped_labels_are_among_the_first_findings(findings_of, plain):
    images, labels = plain
    for label, other in ((BAG, SANDAL), (SANDAL, BAG)):
        members = (plain[1] == label).nonzero().squeeze(1)
        labels = labels.index_fill(0, members[: len(members) // 5], other)
    found = [effect.key for effect in findings_of(images, labels)]
    assert {"confusions/bag/sandal", "confusions/sandal/bag"} <= set(found[:4])
    assert all("bag" in key or "sandal" in key for key in found[:4])  # a sandal also makes bags less symmetric


def test_a_class_that_is_too_dark_is_among_the_first_findings(findings_of, plain):
    images, labels = plain
    dark = labels == COAT
    images[dark] = (images[dark].float() * 0.8).round().to(torch.uint8)
    first = findings_of(images, labels)[:3]  # a darker image holds less of every spatial frequency, too
    assert "bias/coat/brightness" in {effect.key for effect in first}
    assert {effect.classes for effect in first} == {(COAT,)}


def test_copies_of_training_images_are_found_first(findings_of, plain, known):
    images, labels = plain
    members = (labels == SNEAKER).nonzero().squeeze(1)
    images[members] = known.train.images[known.train.of_class(SNEAKER)[: len(members)]]
    first = findings_of(images, labels)[0]
    assert first.key.startswith("neighbours/")
    assert first.classes == (SNEAKER,)


def test_a_style_that_is_never_made_is_found_first(findings_of, plain, known, parts, subject_of):
    images, labels = plain
    sandals = (labels == SANDAL).nonzero().squeeze(1)
    subject, clusters = subject_of(images, labels), parts["clusters"]

    def vectors(of: ImageSet, indices: torch.Tensor) -> np.ndarray:
        return vectors_of(of.images[indices], clusters.features.features(of)[indices])

    found = clusters._clusters(subject, SANDAL, vectors(known.train, known.train.of_class(SANDAL)))
    style, _ = found.assign(vectors(subject.samples, sandals))
    kept = torch.ones(len(labels), dtype=torch.bool)
    kept[sandals[torch.from_numpy(style == 2)]] = False  # the third of them, the most frequent first
    assert 10 < (~kept).sum() < 100
    first = findings_of(images[kept], labels[kept])[0]
    assert first.key.startswith(f"clusters/{GARMENTS.class_names[SANDAL]}/")
    assert first.statement.startswith("0.0 % ")


def test_a_run_is_analysed_with_its_discriminator_and_the_images_that_it_saw(fit, tmp_path, monkeypatch):
    from hydra import compose, initialize_config_dir

    from fmcgan.analyze import _subject
    from fmcgan.app.config_dir import config_dir

    _, gan = fit("trainer.max_epochs=1", "trainer.limit_train_batches=2", "data.subset.n=300")
    options = ["n=100", "bootstrap_samples=0", f"cache={tmp_path}", f"output={tmp_path / 'out'}"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("analyze", [f"run={tmp_path / 'run'}", *options])
        shipped = compose("analyze", ["data=synthetic", *options])
    subject, _, _ = _subject(config)
    assert len(subject.real.train) == 300
    images, labels = torch.rand(20, 1, 28, 28) * 2 - 1, torch.arange(20) % 10
    with torch.no_grad():
        logits = subject.discriminator(images, labels)
        assert torch.allclose(logits, gan.discriminator.eval()(images, labels), atol=1e-5)
    monkeypatch.setattr("fmcgan.inference.sample_source.applied_overrides", lambda: ["data=synthetic"])
    assert _subject(shipped)[0].discriminator is None


def test_the_command_writes_a_page(command, tmp_path):
    few = ("n=500", "bootstrap_samples=10", "analysis=[scores,bias,spectrum]", "metric=[gan_test]")
    analysed = command("analyze", "data=synthetic", *few, "output=analysis")
    folder = tmp_path / "analysis"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert ' src="http' not in page
    record = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    first = record["findings"][0]["statement"]
    assert f"1. {first}" in analysed.stdout
    assert {"bias", "spectrum"} >= {effect["key"].partition("/")[0] for effect in record["effects"]}
    assert {path.suffix for path in folder.iterdir()} >= {".html", ".json", ".png", ".csv"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analysis=[]"], "analysis=[] selects no part"),
        (["run=a", "samples=b"], "both run=a and samples=b"),
        (["n=7"], "n must be a whole number of at least 100, got 7"),
        (["samples=test", "data=synthetic", "analysis=[interpolation]"], "nothing could be analysed"),
        (["run=nowhere"], "run=nowhere: no such file or folder"),
    ],
)
def test_bad_input_ends_with_one_clear_line(command, arguments, said):
    assert said in command("analyze", *arguments, code=1).stderr


def test_a_class_with_one_sample_leaves_the_head_of_the_page_its_width():
    from fmcgan.analysis.base import sample_grid

    images = torch.zeros(51, 1, 28, 28, dtype=torch.uint8)
    rare, even = ([0] + [1] * 50, [0] * 25 + [1] * 26)
    sizes = {sample_grid(garment_set(images, torch.tensor(labels)), 12).size for labels in (rare, even)}
    assert len(sizes) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    from omegaconf import OmegaConf

    from fmcgan.app.errors import UserError
    from fmcgan.inference.sample_source import results_folder

    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: .*output="):
        results_folder(OmegaConf.create({"output": str(tmp_path / "file"), "samples": None, "run": None}), "analysis")
