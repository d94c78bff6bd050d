"""What travels with the package: the values of the baselines on Fashion-MNIST."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from fmcgan.app.config_dir import config_dir
from fmcgan.metric.base import Metric
from fmcgan.metric.baselines import BASELINES, Baselines, applicable
from fmcgan.metric.image_set import RealImages
from fmcgan.metric.results_store import SHIPPED, Store


class NothingToCompute(Store):
    """Fails where something would have to be measured."""

    def values(self, key, compute):
        def never():
            raise AssertionError(f"not shipped: {key}")

        return super().values(key, never)


def scores_of(name: str, *overrides: str) -> dict[str, Metric]:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return instantiate(compose(name, list(overrides)).metric)


@pytest.mark.parametrize(
    ("name", "overrides", "split"),
    [
        ("evaluate", (), "test"),
        ("evaluate", (), "train"),
        ("train", (), "test"),
        ("evaluate", ("metric=[gan_train_quick,gan_train_logistic_regression,gan_train_mlp,gan_train_cnn]",), "test"),
    ],
)
def test_the_usual_scores_need_nothing_measured(real: RealImages, tmp_path, name, overrides, split):
    baselines = Baselines(real._replace(reference_split=split), NothingToCompute(tmp_path))
    for score in scores_of(name, *overrides).values():
        for baseline in applicable(score, BASELINES):
            assert baselines.measure(score, baseline, score.n or 10_000)


@pytest.mark.parametrize("baseline", ["real", "class_means"])
@pytest.mark.parametrize("score", ["spectrum", "ms_ssim", "sliced_wasserstein"])
def test_measured_again_the_values_are_the_same(real: RealImages, tmp_path, score, baseline):
    (measured,) = scores_of("evaluate", f"metric=[{score}]").values()
    again = Baselines(real, Store(tmp_path, shipped=tmp_path)).measure(measured, baseline, 10_000)
    shipped = Baselines(real, Store(tmp_path / "empty")).measure(measured, baseline, 10_000)
    assert again.keys() == shipped.keys()
    for name, each in again.items():
        assert each["value"] == pytest.approx(shipped[name]["value"], rel=1e-4, abs=1e-9)


def test_only_numbers_are_shipped():
    files = list(SHIPPED.iterdir())
    assert {path.suffix for path in files} == {".json"}
    assert sum(path.stat().st_size for path in files) < 500_000
