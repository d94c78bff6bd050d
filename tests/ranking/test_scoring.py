"""Values of submissions whose answer is known, by a network that is computed in the head."""

import numpy as np
import pytest
import torch

from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.metric.evaluation import Evaluator
from fmcgan.metric.frechet import FrechetDistance
from fmcgan.metric.image_set import FeatureNetwork, ImageSet, RealImages
from fmcgan.metric.manifold import Manifold
from fmcgan.metric.results_store import Store
from fmcgan.ranking.scoring import Scorer, copy_limits, ranking_quantity
from fmcgan.ranking.standing import ranked
from fmcgan.ranking.submissions import Submission, available_samples, find_submissions
from tests.ranking.drawn import INFO


class Mean(FeatureNetwork):
    """The mean grey level."""

    name, version, num_features, batch_size = "mean", "1", 1, 100
    calls = 0

    def _extract(self, images):
        Mean.calls += 1
        return {"features": images.float().flatten(1).mean(dim=1, keepdim=True)}


def images(n, seed, level=128, bootstrap_samples=20):
    """Flat images with noise; the level of each varies by 10."""
    rng = np.random.default_rng(seed)
    levels = rng.normal(level, 10, (n, 1, 1, 1)) + rng.normal(0, 5, (n, 1, 16, 16))
    pixels = torch.from_numpy(levels.clip(0, 255).astype(np.uint8))
    return ImageSet(pixels, torch.arange(n) % 3, INFO, bootstrap_samples=bootstrap_samples)


@pytest.fixture(scope="module")
def real():
    return RealImages(images(120, 1), images(90, 2))


@pytest.fixture
def scorer(real, tmp_path):
    metrics = {"frechet": FrechetDistance({"mean": Mean()})}
    return Scorer(Evaluator(metrics, real, 60, (), Store(tmp_path / "real")), "fd_mean", Store(tmp_path / "scores"))


def test_the_value_is_that_of_the_metric_and_its_interval_covers_the_real_images(scorer, real):
    samples = images(60, 3, level=150)
    found = scorer.score("a", samples)
    result = found.results["fd_mean_60_test"]
    alone = FrechetDistance({"mean": Mean()}).measure(samples, real)["fd_mean"]
    assert result["value"] == alone.value
    low, high = result["interval"]
    assert low < result["value"] < high
    assert high - low > alone.interval[1] - alone.interval[0]  # that of the samples alone


def test_a_resample_is_measured_as_the_set_of_its_images(scorer, real):
    samples = images(60, 3)
    found = scorer.score("a", samples)
    counts = samples.resamples[4].long(), real.test.resamples[4].long()
    drawn = [
        each.images.float().flatten(1).mean(dim=1).repeat_interleave(count).double().numpy()
        for each, count in zip((samples, real.test), counts, strict=True)
    ]
    ours, theirs = drawn
    expected = (ours.mean() - theirs.mean()) ** 2 + (ours.std(ddof=1) - theirs.std(ddof=1)) ** 2
    assert found.resampled[4].item() == pytest.approx(expected)


def test_features_of_resamples_are_not_computed_again(scorer, real):
    scorer.score("a", images(60, 3))
    before = Mean.calls
    scorer.score("b", images(60, 4))
    assert Mean.calls == before + 1


def test_features_of_real_images_come_from_the_store(tmp_path):
    for seed, calls in ((3, 2), (4, 1)):
        store = Store(tmp_path / "real")
        train, test = images(120, 1), images(90, 2)
        test.store = store
        evaluator = Evaluator({"frechet": FrechetDistance({"mean": Mean()})}, RealImages(train, test), 60, (), store)
        before = Mean.calls
        Scorer(evaluator, "fd_mean", Store(tmp_path / "scores")).score("a", images(60, seed))
        assert Mean.calls == before + calls


def test_what_is_stored_is_not_measured_again(scorer, monkeypatch):
    first = scorer.score("a", images(60, 3))
    monkeypatch.setattr(Evaluator, "measure", lambda *given: pytest.fail("measured again"))
    again = scorer.score("renamed", images(60, 3))
    assert again.results == first.results
    assert torch.equal(again.resampled, first.resampled)
    assert torch.equal(again.examples, first.examples)


def test_halves_of_the_same_samples_tie_and_others_do_not(scorer, real):
    whole = images(120, 5)
    halves = [whole.subset(torch.arange(start, start + 60)) for start in (0, 60)]
    found = [scorer.score(f"half {k}", half) for k, half in enumerate(halves)]
    found.append(scorer.score("other", images(60, 6, level=160)))
    places = ranked(found, scorer.value_name, 0.0, copy_limits(real), 60)
    assert [place.rank for place in places] == [1, 1, 3]


def test_copies_are_counted(scorer, real):
    limits = copy_limits(real)
    assert (limits.train, limits.test) == (0, 0)
    copied = real.train.images[:60].clone()
    exact = scorer.score("exact", ImageSet(copied, real.train.labels[:60], INFO, bootstrap_samples=20))
    assert (exact.train_copies, exact.test_copies, exact.near_copies) == (60, 0, 60)
    assert torch.equal(exact.pairs[0], exact.pairs[1])
    assert limits.exact(exact, 60) == ["60 of 60 are training images"]
    copied[:, :, 0, 0] ^= 1
    near = scorer.score("near", ImageSet(copied, real.train.labels[:60], INFO, bootstrap_samples=20))
    assert (near.train_copies, near.near_copies) == (0, 60)
    assert limits.has_near_copies(near, 60)
    honest = scorer.score("honest", images(60, 7))
    assert not limits.has_near_copies(honest, 60)
    leaked = ImageSet(real.test.images[:60], real.test.labels[:60], INFO, bootstrap_samples=20)
    assert scorer.score("leak", leaked).test_copies == 60


def test_a_value_without_a_bootstrap_cannot_rank(real, tmp_path):
    metrics = {"manifold": Manifold({"mean": Mean()})}
    scorer = Scorer(Evaluator(metrics, real, 60, (), Store(tmp_path)), "recall_k3_mean", Store(tmp_path))
    with pytest.raises(UserError, match="rank_by=recall_k3_mean"):
        scorer.score("a", images(60, 3))


def test_the_beginning_of_one_name_is_enough():
    metrics = {"frechet": FrechetDistance({"mean": Mean()}), "manifold": Manifold({"mean": Mean()})}
    assert ranking_quantity(metrics, "fd") == ranking_quantity(metrics, "fd_mean") == "fd_mean"
    assert ranking_quantity(metrics, "prec") == "precision_k3_mean"
    for wrong in ("nothing", "", "FD"):
        with pytest.raises(InvalidValueError, match="rank_by must begin the name of one of fd_mean"):
            ranking_quantity(metrics, wrong)


def save(path, samples):
    np.savez(path, images=samples.images[:, 0].numpy(), labels=samples.labels.numpy())
    return Submission(path.stem, path)


def test_a_team_has_the_name_of_its_file_or_folder(tmp_path):
    for name in ("ann.npz", "bob.npz", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"")
    for name in ("bob/bag", "cleo.v2/bag"):
        (tmp_path / name).mkdir(parents=True)
    found = find_submissions(tmp_path)
    assert {each.name: each.path.name for each in found} == {
        "ann": "ann.npz",
        "bob": "bob",
        "bob.npz": "bob.npz",
        "cleo.v2": "cleo.v2",
        "notes": "notes.txt",
    }


def test_what_is_no_folder_of_submissions_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        find_submissions(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is empty"):
        find_submissions(tmp_path)
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match="give the folder above"):
        find_submissions(tmp_path)


def test_samples_are_counted_in_the_proportions_of_the_real_images(real, tmp_path):
    samples = images(90, 3)
    assert available_samples(save(tmp_path / "a.npz", samples), real.test, 60) == 90
    uneven = samples.subset(torch.cat([samples.of_class(0), samples.of_class(1), samples.of_class(2)[:10]]))
    with pytest.raises(UserError, match=r"^30 samples in the class proportions"):
        available_samples(save(tmp_path / "b.npz", uneven), real.test, 60)
    with pytest.raises(UserError, match=r"at least 1,000 are needed \(n=90"):
        available_samples(save(tmp_path / "a.npz", samples), real.test, None)
    two = samples.of_classes([0, 1])
    with pytest.raises(UserError, match="no images of cat"):
        available_samples(save(tmp_path / "c.npz", two), real.test, 20)
