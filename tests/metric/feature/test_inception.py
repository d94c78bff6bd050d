import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.metric.feature.inception import FILE_NAMES, ORIGIN, InceptionFeatures
from fmcgan.metric.image_set import ImageSet
from tests.garments import garment_set
from tests.metric.frechet_reference import frechet_distance, gaussian_statistics


def some_images(count: int, seed: int, brightest: int = 256) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, brightest, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return garment_set(images, torch.arange(count) % 10)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of the right shape without the official values, which no test can download."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Initialised(FeatureExtractorInceptionV3):
        def load_state_dict(self, *args, **kwargs):
            """Keeps the initial values instead of those in the file."""

    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save({}, path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = Initialised("inception-v3-compat", ["2048"], str(path)).state_dict()
    torch.save(state, path)
    return path


def moments(features_sum: Tensor, products_sum: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Mean and covariance from the sums that torchmetrics keeps."""
    mean = features_sum / count
    return mean, (products_sum - count * mean.outer(mean)) / (count - 1)


@pytest.mark.train
def test_the_distance_is_that_of_torchmetrics_with_the_original_resizer(random_weights):
    from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid

    test, samples = some_images(6, 1), some_images(5, 3, brightest=128)
    before = torch.get_rng_state()
    network = InceptionFeatures(str(random_weights), batch_size=4)
    statistics = [gaussian_statistics(network.features(images)) for images in (test, samples)]
    assert torch.equal(torch.get_rng_state(), before)

    theirs = FrechetInceptionDistance(2048, feature_extractor_weights_path=str(random_weights), antialias=False)
    theirs.update(test.images.repeat(1, 3, 1, 1), real=True)
    theirs.update(samples.images.repeat(1, 3, 1, 1), real=False)
    mean_a, cov_a = moments(theirs.real_features_sum, theirs.real_features_cov_sum, 6)
    mean_b, cov_b = moments(theirs.fake_features_sum, theirs.fake_features_cov_sum, 5)
    # `theirs.compute()` takes minutes for 2048 features. The distance is the same within the 10 dimensions that the
    # 11 images span: 5 and 4 of the covariances, 1 between the means.
    span = torch.linalg.svd(torch.cat([cov_a[:, :64], cov_b[:, :64], (mean_a - mean_b)[:, None]], 1), False).U[:, :10]
    within = (span.T @ mean_a, span.T @ cov_a @ span, span.T @ mean_b, span.T @ cov_b @ span)
    assert frechet_distance(*statistics[0], *statistics[1]) == pytest.approx(_compute_fid(*within).item(), rel=1e-4)


@pytest.mark.train
def test_the_version_is_that_of_the_weights_and_of_nothing_else(random_weights, tmp_path):
    shutil.copy(random_weights, tmp_path / "copy.pth")
    state = torch.load(random_weights, weights_only=True)
    state["fc.bias"] = state["fc.bias"] + 1
    torch.save(state, tmp_path / "other.pth")
    version = InceptionFeatures(random_weights).version
    assert InceptionFeatures(tmp_path / "copy.pth", batch_size=3).version == version
    assert InceptionFeatures(tmp_path / "other.pth").version != version
    assert version.endswith("-bilinear-tf1")
    assert len(version.removesuffix("-bilinear-tf1")) == 16


@pytest.mark.train
def test_features_do_not_depend_on_the_batch_size(random_weights):
    whole = InceptionFeatures(random_weights, batch_size=5).features(some_images(5, 4))
    parts = InceptionFeatures(random_weights, batch_size=2).features(some_images(5, 4))
    assert whole.shape == (5, InceptionFeatures.num_features) == (5, 2048)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_only_distances_on_it_may_be_called_fid_and_kid(quadrants):
    assert InceptionFeatures.abbreviations == {"frechet": "fid", "kernel": "kid"}
    assert quadrants.abbreviations == {"frechet": "fd", "kernel": "kd"}


@pytest.mark.parametrize("name", FILE_NAMES)
def test_the_hub_cache_is_searched_for_both_names_of_the_file(name, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / name).write_bytes(b"found")
    for weights in (None, ""):
        with pytest.raises(UserError, match=f"{name}: "):
            InceptionFeatures(weights)


def test_a_missing_file_fails_at_construction_and_says_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError) as caught:
        InceptionFeatures()
    said = str(caught.value)
    for needed in (*FILE_NAMES, str(tmp_path), "feature.inception.weights=FILE", "FMCGAN_INCEPTION_WEIGHTS", ORIGIN):
        assert needed in said
    with pytest.raises(UserError, match=r"no Inception weights at .*mine\.pth\. "):
        InceptionFeatures(tmp_path / "mine.pth")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_damaged_file_fails_at_construction(content, tmp_path):
    (tmp_path / "damaged.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"damaged\.pth: "):
        InceptionFeatures(tmp_path / "damaged.pth")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth: "):
        InceptionFeatures(tmp_path / "other.pth")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"weights": Path("/")}, tmp_path / "unsafe.pth")  # any class but a tensor stands for it
    with pytest.raises(UserError, match=r"unsafe\.pth: "):
        InceptionFeatures(tmp_path / "unsafe.pth")


def test_the_batch_size_must_be_a_whole_number():
    with pytest.raises(InvalidValueError, match="batch_size must be a whole number of at least 1, got 0"):
        InceptionFeatures(batch_size=0)


@pytest.mark.process
def test_the_libraries_are_not_imported_before_they_are_needed(tmp_path):
    code = f"""
import sys
from fmcgan.app.errors import UserError
from fmcgan.metric.feature import classifier, inception, random_convolutions
try:
    inception.InceptionFeatures({str(tmp_path / "nowhere.pth")!r})
except UserError:
    assert not {{"torchmetrics", "torch_fidelity", "scipy"}} & set(sys.modules)
    print("refused")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout == "refused\n", run.stderr
