import json
import logging

import pytest
import torch

from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.data.info import DatasetInfo
from fmcgan.metric import train_classifier
from fmcgan.metric.feature import classifier
from fmcgan.metric.feature.classifier_network import SHIPPED_WEIGHTS, load_classifier, new_classifier
from fmcgan.metric.feature.classifier_training import accuracy, augmented, train
from fmcgan.metric.train_classifier import main


def stripes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten classes that a pixel row tells apart, wherever it is shifted by one pixel or mirrored."""
    labels = torch.arange(count) % 10
    images = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
    images[torch.arange(count), 0, 2 * labels + 3, :] = 255
    images[torch.arange(count), 0, 2 * labels + 4, :] = 255
    return images, labels


def one_pixel(count: int) -> torch.Tensor:
    images = torch.zeros(count, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 5, 9] = 200
    return images


def test_augmentation_mirrors_and_shifts_by_one_pixel_each_way():
    result = augmented(one_pixel(2000), torch.Generator().manual_seed(0))
    assert result.dtype == torch.uint8
    places = result.nonzero()[:, 2:]
    assert len(places) == 2000  # one bright pixel each
    seen = {tuple(place) for place in places.tolist()}
    assert seen == {(row, column) for row in (4, 5, 6) for column in (8, 9, 10, 17, 18, 19)}
    assert 850 < (places[:, 1] > 13).sum() < 1150  # half are mirrored: 1000 ± 7 standard deviations


def test_training_is_decided_by_its_seed_and_leaves_the_global_random_state_alone():
    images, labels = stripes(40)
    before = torch.get_rng_state()
    first, second = (train(images, labels, epochs=1, seed=5) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = train(images, labels, epochs=1, seed=6)
    assert not torch.equal(first.head.weight, other.head.weight)


@pytest.mark.train
def test_training_learns():
    images, labels = stripes(200)
    assert accuracy(new_classifier(0).eval(), images, labels) < 0.4
    # Few steps leave the running statistics of the batch norm behind, so the loss is read with those of the batch.
    trained = train(images, labels, epochs=8, seed=0).train()
    assert accuracy(trained, images, labels) > 0.9


def test_epochs_must_be_a_whole_number():
    with pytest.raises(ValueError, match="epochs must be a whole number of at least 1, got 0"):
        train(*stripes(10), epochs=0, seed=0)


class FewImages(FashionMNISTData):
    """The data set as the command gets it, cut down to what a test has time for."""

    def load(self) -> ImageSplits:
        return ImageSplits(*(tensor[:500] for tensor in super().load()))


def test_the_command_writes_weights_and_a_record_of_the_test_accuracy(mirror, tmp_path, monkeypatch, real_test):
    monkeypatch.setattr(train_classifier, "FashionMNISTData", FewImages)
    output = tmp_path / "mine.pt"
    main(f"--data-root {tmp_path} --data-mirror {mirror} --seed 3 --epochs 1 --output {output}".split())
    record = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    assert (record["seed"], record["epochs"], record["parameters"]) == (3, 1, 160_874)
    assert record["test_accuracy"] == accuracy(load_classifier(output), real_test.images[:500], real_test.labels[:500])


def test_the_command_ends_with_one_line_for_what_a_person_can_mend(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--data-root", str(tmp_path), "--data-mirror", str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err


def test_the_command_caches_the_classifier_of_another_data_set(tmp_path, monkeypatch, caplog):
    """The drawn images are garments, so the shipped one serves; a data set of other classes would be trained on."""
    monkeypatch.setenv("FMCGAN_CACHE", str(tmp_path))
    drawn = ["data=synthetic", "data.n_train=20", "data.n_test=20"]
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        main(drawn)
    assert "classifier 3181bff33eac953c of synthetic is ready" in caplog.text
    assert list(tmp_path.iterdir()) == []
    trained = []
    info = DatasetInfo("birds", tuple("abcdefghij"))
    monkeypatch.setattr("fmcgan.data.synthetic.SyntheticData.info", info)
    monkeypatch.setattr(classifier, "trained_weights", lambda real: trained.append(real) or SHIPPED_WEIGHTS)
    main(drawn)
    ((train_set, test_set, *_),) = trained
    assert (train_set.info, len(train_set), len(test_set)) == (info, 20, 20)
    assert train_set.store.folder == tmp_path


@pytest.mark.parametrize("arguments", [["data=nothing"], ["data.n=3"], ["n=7"], ["data=synthetic", "data.n_train=x"]])
def test_other_overrides_end_with_one_line(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "Traceback" not in error
