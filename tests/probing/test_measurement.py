"""Planted classifiers whose answer is known: of shapes, of brightness, of nothing."""

import json

import pytest
import torch

from fmcgan.analysis.findings import adjust_effects, select_findings
from fmcgan.probing.classifier import Classifier
from fmcgan.probing.page import Page, as_json, write_page
from tests.probing.drawn import INFO, Bars, Brightness, Shape, noise, probed, reader

pytestmark = pytest.mark.train  # searches and draws for seconds


def by_chance():
    def outputs(images):
        return torch.from_numpy(noise(images.detach().numpy())).log_softmax(dim=1)

    return Classifier("noise", outputs, False, torch.device("cpu"))


@pytest.fixture(scope="module")
def measured():
    pytest.importorskip("cma")
    return {
        "shape": probed(reader(Shape()), Bars()),
        "brightness": probed(reader(Brightness()), Bars()),
        "noise": probed(by_chance(), Bars()),
    }


def findings(measured):
    effects = [effect for section in measured.sections.values() for effect in section.effects]
    return [each.effect.key for each in select_findings(adjust_effects(effects))]


def test_a_classifier_of_shapes_has_no_finding(measured):
    assert findings(measured["shape"]) == []
    values = measured["shape"].sections["same_latent"].values
    assert values["label_share"] == pytest.approx(1, abs=0.01)
    assert values["agreement"] == 1
    assert measured["shape"].sections["accuracy"].values["accuracy_on_real"] == 1


def test_a_classifier_of_brightness_is_told(measured):
    found = findings(measured["brightness"])
    assert "attributes/brightness" in found
    assert "same_latent/all" in found
    assert "directions/of_more_brightness" in found
    attributes = measured["brightness"].sections["attributes"].values
    largest = max(attributes, key=lambda name: attributes[name]["real"])
    assert largest == "brightness"
    assert attributes["brightness"]["generated"] > 0.5
    assert attributes["width"]["real"] < 0.05
    assert measured["brightness"].sections["same_latent"].values["constant"] > 0.9


def test_a_classifier_of_nothing_follows_no_attribute(measured):
    found = findings(measured["noise"])
    assert not [each for each in found if each.startswith(("attributes/", "accuracy/"))]
    assert measured["noise"].sections["same_latent"].values["label_share"] < 0.05
    assert measured["noise"].sections["accuracy"].values["accuracy_on_real"] == pytest.approx(1 / 3, abs=0.07)


def test_flips_of_brightness_are_read_as_the_same_class_by_the_judge(measured):
    section = measured["brightness"].sections["flips"]
    (medians, changes) = section.tables
    own, judged = medians.rows
    assert own[2] > 0
    assert own[-1] == 1  # the judge reads shapes, which the label alone decides
    assert {row[3] for row in changes.rows} <= set(INFO.class_names)
    assert judged[2] == 0


def test_samples_of_a_file_have_no_latent_parts():
    found = probed(reader(Brightness()))
    assert list(found.sections) == ["accuracy", "attributes"]
    assert set(found.skipped) == {"directions", "same_latent", "flips"}


def test_the_files(measured, tmp_path):
    page = Page(measured["brightness"], "drawn bars", 10, {"command": "probe"})
    names = write_page(tmp_path, page)
    assert set(names) == {path.name for path in tmp_path.iterdir()}
    record = json.loads((tmp_path / "probe.json").read_text(encoding="utf-8"))
    assert record == json.loads(json.dumps(as_json(page)))
    assert {each for one in record["findings"] for each in one["keys"]} <= {each["key"] for each in record["effects"]}
    assert page.caveat  # it is far worse than the judge
    assert not Page(measured["shape"], "drawn bars", 10, {}).caveat
    assert any(name.endswith("flips_pairs.png") for name in names)
