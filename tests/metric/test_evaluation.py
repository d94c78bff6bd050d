import json
from typing import ClassVar

import pytest
import torch

from fmcgan.app.errors import Failures, InvalidValueError, UserError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.base import Metric
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.frechet import FrechetDistance
from fmcgan.metric.image_set import ImageSet, RealImages
from fmcgan.metric.results import as_markdown, as_text, by_class_as_markdown, sort_key
from fmcgan.metric.results_store import Store
from fmcgan.metric.value import MetricValue, Quantity
from tests.garments import garment_set


class Darkness(Metric):
    """255 less the mean grey level."""

    protocol = "darkness"
    kinds: ClassVar = {"darkness": Quantity("Darkness", "lower", "grey levels", lowest=0)}
    uses_reference = False

    def __init__(self, n: int | None = None) -> None:
        self.n = n

    def measure(self, samples, real):
        value = 255 - samples.images.double().mean().item()
        tens = [value] * 9 + [None]
        return {"darkness": MetricValue(value, (value - 1, value + 1), tens)}

    def findings(self, samples, real):
        return {"seen": len(samples)}


def grey(level: int, n: int) -> ImageSet:
    return garment_set(torch.full((n, 1, 28, 28), level, dtype=torch.uint8), torch.arange(n) % 10)


@pytest.fixture
def evaluator(tmp_path):
    real = RealImages(grey(100, 60), grey(90, 40))
    return Evaluator({"a": Darkness(), "b": Darkness(n=50)}, real, 20, ("real", "uniform_noise"), Store(tmp_path))


def test_each_score_takes_as_many_samples_as_it_asks_for(evaluator):
    assert evaluator.samples_needed == 50
    results = evaluator.measure(grey(200, 50))
    assert list(results) == ["darkness_20", "darkness_50"]
    assert [result["n"] for result in results.values()] == [20, 50]
    assert evaluator.findings(grey(200, 50)) == {"seen": 50}


def test_with_fewer_samples_it_takes_all_and_says_so(evaluator):
    results = evaluator.measure(grey(200, 30))
    assert list(results) == ["darkness_20", "darkness_30"]
    assert results["darkness_30"]["floor"] == 155


def test_samples_are_measured_in_the_class_proportions_of_the_reference(tmp_path):
    """Three quarters of the test images are of class 0, so 15 of 20 samples are: (15 * 200 + 5 * 0) / 20 = 150."""
    labels = torch.tensor([0] * 30 + [1] * 10)
    real = grey(100, 40)
    unequal = RealImages(garment_set(real.images, labels), garment_set(real.images, labels))
    levels = torch.tensor([200, 0], dtype=torch.uint8).repeat(20)[:, None, None, None]
    samples = garment_set(levels.expand(-1, 1, 28, 28), torch.arange(40) % 2)
    result = Evaluator({"a": Darkness()}, unequal, 20, (), Store(tmp_path)).measure(samples)["darkness_20"]
    assert result["value"] == 255 - 150


def test_a_result_says_all_and_is_plain_json(evaluator):
    result = evaluator.measure(grey(200, 50))["darkness_20"]
    assert json.loads(json.dumps(result)) == result
    assert result == {
        "value": 55.0,
        "interval": [54.0, 56.0],
        "floor": 155.0,
        "baselines": {"real": 155.0, "uniform_noise": pytest.approx(127.5, abs=1)},
        "better": "lower",
        "n": 20,
        "by_class": [55.0] * 9 + [None],
        "floor_by_class": [155.0] * 9 + [None],
        "score": "a",
        "protocol": "darkness",
        "title": "Darkness",
        "unit": "grey levels",
        "range": [0, None],
        "summary": "",
        "plain": "",
    }
    assert set(evaluator.seconds) == {"a", "b"}


def test_two_scores_of_one_name_are_refused(tmp_path):
    real = RealImages(grey(100, 60), grey(90, 40))
    both = Evaluator({"a": Darkness(), "b": Darkness()}, real, 20, (), Store(tmp_path))
    with pytest.raises(InvalidValueError, match="darkness_20 would be measured twice"):
        both.measure(grey(1, 20))


def test_two_networks_of_one_name_are_refused(quadrants):
    twice = FrechetDistance({"one": quadrants, "two": quadrants})
    with pytest.raises(InvalidValueError, match="distinct names, got quadrants, quadrants"):
        Evaluator({"frechet": twice}, RealImages(grey(100, 60), grey(90, 40)), 20)


def test_a_metric_without_a_protocol_is_refused_by_name():
    class Nameless(Metric):
        kinds: ClassVar = {"nameless": Quantity("Nameless", "lower")}

        def measure(self, samples, real):
            return {}

    with pytest.raises(InvalidValueError, match="mine: the metric Nameless has no protocol; set its attribute"):
        Evaluator({"mine": Nameless()}, RealImages(grey(100, 60), grey(90, 40)), 20)


def test_a_score_that_cannot_be_measured_does_not_keep_the_others_from_it(tmp_path, caplog):
    class Picky(Darkness):
        def measure(self, samples, real):
            raise InvalidValueError("too few")

    evaluator = Evaluator(
        {"p": Picky(), "a": Darkness()}, RealImages(grey(9, 60), grey(9, 40)), 20, store=Store(tmp_path)
    )
    assert list(evaluator.measure(grey(200, 20))) == ["darkness_20"]
    assert "p is not measured: too few" in caplog.text


def test_the_floors_alone(evaluator):
    assert evaluator.floors() == {"darkness_20": 155.0, "darkness_50": 155.0}


def test_an_unknown_baseline_is_refused():
    with pytest.raises(InvalidValueError, match=r"baselines must be one of real, shuffled_labels, .*got 'reel'"):
        Evaluator({}, RealImages(grey(1, 20), grey(1, 20)), 20, ("reel",))


def test_the_sort_key_falls_as_samples_get_better():
    lower, higher, real = ({"value": 3.0, "floor": 5.0, "better": better} for better in ("lower", "higher", "real"))
    assert [sort_key(each) for each in (lower, higher, real)] == [3.0, -3.0, 2.0]
    assert sort_key({"value": 7.0, "floor": 5.0, "better": "real"}) == 2.0
    assert sort_key({"value": 7.0, "floor": None, "better": "real"}) == float("inf")


def test_tables(evaluator):
    results = evaluator.measure(grey(200, 50))
    lines = as_markdown(results).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == [
        *("score", "samples", "95 % interval", "real", "uniform noise", "better")
    ]
    assert [cell.strip() for cell in lines[2].split("|")[1:4]] == ["darkness_20", "55", "54 to 56"]
    assert len({len(line) for line in lines}) == 1  # aligned
    by_class = by_class_as_markdown(results, GARMENTS.class_names).splitlines()
    assert [cell.strip() for cell in by_class[0].split("|")[2:5]] == ["t-shirt", "trouser", "pullover"]
    assert by_class[2].split("|")[-2].strip() == "-"
    assert "(real)" in by_class[3]
    assert as_text("darkness_20", results["darkness_20"]) == "darkness_20 55 (real 155)"


class Broken(Darkness):
    """Fails in one of its calls."""

    kinds: ClassVar = {"broken": Quantity("Broken", "lower")}

    def __init__(self, error: Exception, where: str) -> None:
        super().__init__()
        self.error, self.where = error, where

    def measure(self, samples, real):
        if self.where == "samples":
            raise self.error
        return dict(zip(["broken"], super().measure(samples, real).values(), strict=True))

    def findings(self, samples, real):
        if self.where == "findings":
            raise self.error
        return {"broken": 1}


@pytest.mark.parametrize("where", ["samples", "findings"])
def test_one_score_that_fails_leaves_the_others(tmp_path, where):
    real, failures = RealImages(grey(100, 60), grey(90, 40)), Failures(UserError)
    scores = {"broken": Broken(RuntimeError("no"), where), "a": Darkness()}
    evaluator = Evaluator(scores, real, 20, ("real",), Store(tmp_path), failures=failures)
    results = evaluator.measure(grey(200, 50))
    assert results["darkness_20"]["value"] == 55
    assert ("broken_20" in results) == (where == "findings")
    assert evaluator.findings(grey(200, 50)) == {"seen": 20}
    assert failures.failed == {"broken": "RuntimeError: no"}


def test_without_attempts_and_for_a_user_s_error_it_ends(tmp_path):
    real = RealImages(grey(100, 60), grey(90, 40))
    for error, failures in ((RuntimeError("no"), None), (UserError("no weights"), Failures(UserError))):
        evaluator = Evaluator(
            {"broken": Broken(error, "samples")}, real, 20, ("real",), Store(tmp_path), failures=failures
        )
        with pytest.raises(type(error), match="no"):
            evaluator.measure(grey(200, 50))
