"""The discriminator of a run gives its own logits for images and labels, and a probability where that has a meaning."""

import json
import shutil

import numpy as np
import pytest
import torch

from fmcgan import load_discriminator
from fmcgan.app.errors import InvalidValueError, UserError
from fmcgan.data.images import to_float

BATCHES = ("trainer.max_epochs=1", "trainer.limit_train_batches=2")


@pytest.fixture
def trained_run(fit, tmp_path):
    """The folder of a run of two batches, and its discriminator."""

    def trained_run(*overrides):
        _, gan = fit(*BATCHES, *overrides)
        return tmp_path / "run", gan.discriminator.eval()

    return trained_run


def some_images(n=12):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), np.arange(n) % 10


@torch.no_grad()
def own_logits(network, images, labels):
    return network(to_float(torch.from_numpy(images).unsqueeze(1)), torch.as_tensor(labels)).numpy()


def test_logits_and_probability_are_those_of_the_trained_network(trained_run):
    run, network = trained_run("spectral_norm=discriminator")
    discriminator, (images, labels) = load_discriminator(run), some_images()
    expected = own_logits(network, images, labels)
    logits = discriminator.logits(images, labels)
    assert (logits.dtype, logits.shape) == (np.float32, (12,))
    assert np.allclose(logits, expected, atol=1e-6)
    assert np.allclose(discriminator.probability(images, labels), 1 / (1 + np.exp(-expected)), atol=1e-6)
    names = [discriminator.info.class_names[label] for label in labels]
    assert np.array_equal(discriminator.logits(images, names), logits)
    assert len(np.unique(discriminator.logits(images[[0] * 10], range(10)))) == 10  # the label counts
    assert (discriminator.images_seen, discriminator.has_decision_boundary) == (64, True)
    many = discriminator.logits(np.repeat(images, 50, axis=0), np.repeat(labels, 50))  # more than a batch
    assert np.allclose(many, np.repeat(logits, 50), atol=1e-5)
    assert discriminator.logits(images[:0], []).shape == (0,)


@pytest.mark.parametrize("loss", ["wgan_gp", "relativistic"])
def test_a_critic_has_no_probability(trained_run, loss, tmp_path):
    run, network = trained_run(f"loss={loss}")
    images, labels = some_images()
    shutil.copy(run / "checkpoints" / "last.ckpt", tmp_path / "alone.ckpt")
    for place in (run, run / "checkpoints" / "last.ckpt", tmp_path / "alone.ckpt"):  # recorded, or of the class
        discriminator = load_discriminator(place)
        assert np.allclose(discriminator.logits(images, labels), own_logits(network, images, labels), atol=1e-6)
        with pytest.raises(UserError, match="trains a critic: its logits have no zero") as error:
            discriminator.probability(images, labels)
        assert "\n" not in str(error.value)


def test_a_loss_of_another_package_is_as_its_run_recorded(trained_run, tmp_path):
    run, _ = trained_run()
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    content["config"]["loss"]["_target_"] = "mine.Loss"
    torch.save(content, tmp_path / "alone.ckpt")
    images, labels = some_images()
    discriminator = load_discriminator(tmp_path / "alone.ckpt")
    assert discriminator.logits(images, labels).shape == (12,)
    with pytest.raises(UserError, match=r"mine\.Loss .* is not known from a checkpoint alone: load the run folder"):
        discriminator.probability(images, labels)
    torch.save(content, run / "checkpoints" / "last.ckpt")
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    for recorded in (True, False):
        text = json.dumps(environment | {"has_decision_boundary": recorded})
        (run / "environment.json").write_text(text, encoding="utf-8")
        assert load_discriminator(run).has_decision_boundary is recorded


def test_what_is_refused(trained_run, tmp_path):
    run, _ = trained_run()
    discriminator, (images, labels) = load_discriminator(run), some_images()
    for wrong in (images.astype(float), images[:, :14], images[0], images[..., None], np.uint8(3)):
        with pytest.raises(InvalidValueError, match=r"images must be uint8 \[N, 28, 28\], got "):
            discriminator.logits(wrong, labels)
    for wrong in (labels[:5], 3, [[1]] * 12):
        with pytest.raises(InvalidValueError, match="labels must name the class of each of 12 images"):
            discriminator.logits(images, wrong)
    for wrong in ("hat", 10, -1):
        with pytest.raises(InvalidValueError, match="unknown class"):
            discriminator.logits(images, [wrong] * 12)
    with pytest.raises(UserError, match="no such file or folder"):
        load_discriminator(tmp_path / "nowhere")
    with pytest.raises(UserError, match="device"):
        load_discriminator(run, device="meta")


def test_a_file_cannot_bring_its_own_discriminator(trained_run, tmp_path):
    run, _ = trained_run()
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    described = content["config"]["network"]["discriminator"]
    for change, message in (
        ({"_target_": "evil.Discriminator"}, r"evil\.Discriminator, which is not a class in .*trust=\[evil\]"),
        ({"_target_": "fmcgan.network.dcgan.Generator"}, "does not hold the discriminator"),
        ({"width": 10**6}, "does not hold the discriminator"),
    ):
        content["config"]["network"]["discriminator"] = described | change
        torch.save(content, tmp_path / "changed.ckpt")
        with pytest.raises(UserError, match=message) as error:
            load_discriminator(tmp_path / "changed.ckpt")
        assert "\n" not in str(error.value)
    content["config"]["network"]["discriminator"] = {}
    torch.save(content, tmp_path / "changed.ckpt")
    with pytest.raises(UserError, match="does not name the class of its discriminator"):
        load_discriminator(tmp_path / "changed.ckpt")


@pytest.mark.train
def test_an_exported_generator_has_none():
    from fmcgan.inference.generator import SHIPPED

    with pytest.raises(UserError, match="is an exported generator, which has no discriminator; give a run folder"):
        load_discriminator(SHIPPED)
