"""Which scores a search can optimize, in which direction, and what they were in a finished run."""

import json
import math

import pytest
from omegaconf import OmegaConf

from fmcgan.app.errors import UserError
from fmcgan.metric.value import Quantity
from fmcgan.search.objective import check_objective, names_of, objective_value, objective_values

KNOWN = {
    "fd": Quantity("distance", "lower"),
    "recall": Quantity("recall", "higher"),
    "entropy": Quantity("entropy", "real"),
}


def test_directions_are_those_of_the_metrics():
    found = check_objective(OmegaConf.create(["fd", "recall", "entropy"]), [KNOWN])
    assert [each.direction for each in found] == ["minimize", "maximize", "minimize"]
    assert [each.title for each in found] == ["fd", "recall", "distance of entropy to real data"]
    assert [each.name for each in check_objective("recall", [KNOWN])] == ["recall"]
    assert check_objective(None, [KNOWN]) == []


def test_an_unknown_score_is_one_line_with_all_scores():
    with pytest.raises(UserError, match=r"^objective=fid is no score of this run; its scores: fd, recall, entropy$"):
        check_objective("fid", [KNOWN])
    with pytest.raises(UserError, match=r"^objective=fid,is is no score .*: none \(metric= and callback="):
        check_objective(["fid", "is"], [])


@pytest.mark.parametrize("given", [7, ["fd", "fd"], ["fd", None], {"fd": 1}, "", True])
def test_anything_but_names_is_refused(given):
    with pytest.raises(UserError, match=r"^objective must be the name of a score, or a list of different names, got"):
        names_of(OmegaConf.create(given) if isinstance(given, list | dict) else given)


def write_result(folder, **scores):
    entries = {
        name: {"value": value, "better": better, "floor": floor, "score": name, "n": 10, "baselines": {}}
        for name, (value, better, floor) in scores.items()
    }
    result = {"status": "finished", "images_seen": 1, "training_seconds": 1, "scores": entries}
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def test_values_are_those_of_the_finished_run(tmp_path):
    assert objective_values("fd", tmp_path) is None  # it did not finish
    write_result(tmp_path, fd=(3.5, "lower", 0.5), recall=(0.25, "higher", 0.9), entropy=(2.0, "real", 2.25))
    assert objective_values(None, tmp_path) is None
    assert objective_values("fd", tmp_path) == 3.5
    assert objective_values(OmegaConf.create(["recall", "entropy"]), tmp_path) == [0.25, 0.25]
    assert objective_values(["fd"], tmp_path) == [3.5]
    with pytest.raises(
        UserError, match=r"^objective=kd was not measured by this run; it measured: fd, recall, entropy$"
    ):
        objective_values("kd", tmp_path)


def test_an_unknown_value_is_nan():
    assert math.isnan(objective_value({"value": None, "better": "lower", "floor": 1.0}))
    assert math.isnan(objective_value({"value": 1.0, "better": "real", "floor": None}))
    assert objective_value({"value": 1.0, "better": "real", "floor": 3.0}) == 2.0
