import logging

import pytest
import torch

from fmcgan.app.errors import InvalidValueError
from fmcgan.metric import gan_train
from fmcgan.metric.gan_train import GanTrain
from fmcgan.metric.image_set import ImageSet, RealImages
from tests.garments import garment_set

NAME = "gan_train_logistic_regression"


def striped(n: int, seed: int) -> ImageSet:
    """Noise with two bright rows whose place tells the class."""
    labels = torch.arange(n) % 10
    images = torch.randint(0, 60, (n, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    for row in (0, 1):
        images[torch.arange(n), 0, 2 * labels + row] = 255
    return garment_set(images, labels)


def relabelled(images: ImageSet, labels: torch.Tensor) -> ImageSet:
    return garment_set(images.images, labels)


def quick_score(**changes) -> GanTrain:
    return GanTrain(**{"network": "logistic_regression", "n": 400, "epochs": 5, "learning_rate": 0.01} | changes)


@pytest.fixture(scope="module")
def toy() -> RealImages:
    return RealImages(striped(100, 1), striped(200, 2))


@pytest.fixture
def trainings(monkeypatch) -> list:
    """What was done, in order: ("train", images, labels) and ("read", images)."""
    done = []
    train, read = gan_train.train_downstream, gan_train.predict_classes

    def spied_train(build, images, labels, **options):
        done.append(("train", images, labels))
        with monkeypatch.context() as unspied:
            unspied.setattr(gan_train, "predict_classes", read)
            return train(build, images, labels, **options)

    def spied_read(network, images, device):
        done.append(("read", images))
        return read(network, images, device)

    monkeypatch.setattr(gan_train, "train_downstream", spied_train)
    monkeypatch.setattr(gan_train, "predict_classes", spied_read)
    return done


@pytest.mark.parametrize("network", ["logistic_regression", "mlp", "quick_cnn"])
def test_separable_classes_are_learned_from_the_samples(network, toy):
    measured = quick_score(network=network, epochs=10).measure(striped(400, 3), toy)
    assert measured == {f"gan_train_{network}": (1.0, None, (1.0,) * 10)}


def test_labels_are_what_is_learned(toy):
    samples = striped(400, 3)
    assert quick_score().measure(samples, toy)[NAME].value == 1
    of_the_next_class = relabelled(samples, (samples.labels + 1) % 10)
    assert quick_score().measure(of_the_next_class, toy)[NAME].value == 0


def test_a_class_that_the_samples_leave_out_is_not_read(toy):
    samples = striped(400, 3)
    measured = quick_score().measure(samples.subset((samples.labels != 3).nonzero().squeeze(1)), toy)
    assert measured == {NAME.replace("400", "360"): (0.9, None, (1.0, 1.0, 1.0, 0.0, *[1.0] * 6))}


def test_real_images_are_read_once_after_the_training_and_the_test_split_always(toy, trainings):
    samples = striped(400, 3)
    for reference in ("test", "train"):
        real = toy._replace(reference_split=reference)
        quick_score().measure(relabelled(samples, samples.labels), real)
        assert quick_score().real_samples(real) is toy.train
    assert [each[0] for each in trainings] == ["train", "read", "train", "read"]
    for name, images, *labels in trainings:
        if name == "read":
            assert images is toy.test.images
        else:
            assert torch.equal(images, samples.images[samples.content_order])
            assert torch.equal(labels[0], samples.labels[samples.content_order])


def test_the_same_samples_give_the_same_bits_in_any_order_and_the_global_random_state_stays(toy, trainings):
    samples = striped(400, 3)
    noisy = relabelled(samples, samples.labels[torch.randperm(400, generator=torch.Generator().manual_seed(1))])
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2))
    before = torch.get_rng_state()
    measured = [quick_score(network="mlp").measure(each, toy) for each in (noisy, noisy.subset(order))]
    assert torch.equal(torch.get_rng_state(), before)
    assert measured[0] == measured[1]
    assert len(trainings) == 4  # two trainings, not one kept


def test_a_set_is_trained_on_once_for_each_protocol_and_test_set(toy, trainings):
    samples = striped(400, 3)
    assert quick_score().measure(samples, toy) == quick_score().measure(samples, toy)
    assert len(trainings) == 2
    quick_score(seed=1).measure(samples, toy)
    assert len(trainings) == 4
    quick_score().measure(samples, toy._replace(test=striped(100, 5)))
    assert len(trainings) == 6


def test_the_protocol_tells_every_parameter():
    changes = [{}, {"network": "mlp"}, {"epochs": 6}, {"batch_size": 64}, {"learning_rate": 0.02}, {"seed": 1}]
    assert len({quick_score(**change).protocol for change in changes}) == len(changes)


@pytest.mark.parametrize("n", [2, 30])
def test_collapsed_samples_give_a_share(n, toy):
    black = garment_set(torch.zeros(n, 1, 28, 28, dtype=torch.uint8), torch.arange(n) % 10)
    (measured,) = quick_score().measure(black, toy).values()
    assert 0 <= measured.value <= 1
    assert all(0 <= each <= 1 for each in measured.by_class)


def test_without_a_terminal_the_log_tells_the_time_left(toy, caplog):
    with caplog.at_level(logging.INFO, logger="fmcgan"):
        quick_score(epochs=20).measure(striped(20, 3), toy)
    (line,) = [record.getMessage() for record in caplog.records]  # the last epoch has no time left to tell
    assert line.startswith("gan_train_logistic_regression: epoch 10 of 20, ")
    assert line.endswith(" left")


def test_mistakes_are_found_at_construction():
    with pytest.raises(InvalidValueError, match="one of logistic_regression, mlp, cnn, quick_cnn, got 'c'"):
        GanTrain("c")
    for wrong in ({"n": 1}, {"epochs": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"seed": -1}):
        with pytest.raises(InvalidValueError, match=next(iter(wrong))):
            quick_score(**wrong)


def test_the_network_that_takes_an_hour_is_not_quick():
    assert [network for network in gan_train.NETWORKS if not GanTrain(network).quick] == ["cnn"]


def test_real_images_teach_to_read_real_images_and_shuffled_labels_teach_nothing(real):
    score = GanTrain("quick_cnn", n=2000, epochs=4, batch_size=32, learning_rate=0.003)
    samples, few = real.train.balanced(2000), real._replace(test=real.test.balanced(1000))
    shuffled = relabelled(samples, samples.labels[torch.randperm(2000, generator=torch.Generator().manual_seed(0))])
    measured, of_shuffled = (score.measure(each, few)["gan_train_quick_cnn"] for each in (samples, shuffled))
    assert measured.value == pytest.approx(0.8, abs=0.05)
    assert min(range(10), key=measured.by_class.__getitem__) == 6  # shirts are the hard class of Fashion-MNIST
    assert of_shuffled.value == pytest.approx(0.1, abs=0.1)  # images of a class tend to be read alike
