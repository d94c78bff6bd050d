import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.analysis.base import NotApplicable, Subject
from fmcgan.analysis.interpolation import Interpolation, class_pairs
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.garments import GARMENTS
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.image_set import FeatureNetwork, RealImages
from fmcgan.metric.results_store import Store
from tests.garments import garment_set

PAIRS = class_pairs(GARMENTS)
CHAIN = [PAIRS[0][0], *(second for _, second in PAIRS)]


class Levels(ClassifierFeatures):
    """An image of mean grey level 25 c is read as class c."""

    name = "levels"
    version = "1"
    num_features = 1
    batch_size = 100
    outputs = FeatureNetwork.outputs  # there is no classifier whose data set could be another

    def __init__(self) -> None:
        pass

    def _extract(self, images):
        mean = images.float().mean(dim=(1, 2, 3))[:, None]
        return {"features": mean, "logits": -(mean / 25 - torch.arange(10)).square()}


class Flat(nn.Module):
    """Class c is a flat image of grey level 25 c, whatever the latent vector."""

    def __init__(self, by_embedding: bool = True) -> None:
        super().__init__()
        self.latent_dim = 5
        self.by_embedding = by_embedding
        self.embedding = nn.Embedding(10, 1)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.arange(10.0)[:, None] * 25 / 127.5 - 1)

    def forward(self, latent, labels):
        one_hot = F.one_hot(labels, 10).float()
        level = self.embedding(labels) if self.by_embedding else one_hot @ self.embedding.weight
        return level[:, :, None, None].expand(-1, 1, 28, 28)


def subject_of(generator, folder) -> Subject:
    images = torch.zeros(10, 1, 28, 28, dtype=torch.uint8)
    samples = garment_set(images, torch.arange(10))
    return Subject(samples, RealImages(samples, samples), generator, None, 3, Store(folder))


def test_the_chain_passes_every_class_once_and_comes_back():
    assert sorted(CHAIN[:-1]) == list(range(10))
    assert CHAIN[0] == CHAIN[-1]
    assert len(PAIRS) == 10


def test_what_is_read_halfway_is_counted(tmp_path):
    """Between classes a and b the grey level is that of (a + b) / 2: a third class unless they are neighbours."""
    section = Interpolation(Levels(), steps=4, n_halfway=8).analyse(subject_of(Flat(), tmp_path))
    assert [picture.name for picture in section.pictures] == ["within_class", "same_latent", "class_to_class"]
    rows = {(row[0], row[1]): row for row in section.tables[0].rows}
    between = rows["t-shirt", "shirt"]
    assert between[2:5] == [0, 0, 1]
    assert between[7] == GARMENTS.class_names[3]
    assert between[5] < 1 <= between[6]  # of 8, all: not surely all
    assert rows["pullover", "coat"][7] == GARMENTS.class_names[3]
    assert section.values["blends_classes"] is True
    thirds = [abs(a - b) > 1 for a, b in PAIRS]
    assert section.values["third_class_halfway"] == pytest.approx(sum(thirds) / 10)


def test_the_figure_begins_and_ends_at_the_two_classes(tmp_path):
    section = Interpolation(Levels(), steps=3, n_halfway=2).analyse(subject_of(Flat(), tmp_path))
    picture = section.pictures[2].content
    colours = {picture.getpixel((picture.width - 20 - 86 * back, 20)) for back in range(3)}
    assert colours == {0, 75, 150}  # t-shirt, in the middle 3, shirt


def test_a_generator_without_embeddings_shows_the_ends_and_says_so(tmp_path):
    section = Interpolation(Levels(), steps=3, n_halfway=2).analyse(subject_of(Flat(by_embedding=False), tmp_path))
    assert [picture.name for picture in section.pictures] == ["within_class", "same_latent"]
    assert not section.values["blends_classes"]
    assert section.tables == []
    assert section.values["blends_classes"] is False


def test_the_same_subject_gives_the_same_and_the_random_state_stays(tmp_path):
    subject = subject_of(Flat(), tmp_path)
    before = torch.get_rng_state()
    first, second = (Interpolation(Levels(), 3, 2).analyse(subject) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert [p.content.tobytes() for p in first.pictures] == [p.content.tobytes() for p in second.pictures]


def test_samples_of_a_file_have_no_latent_space(tmp_path):
    with pytest.raises(NotApplicable, match="give run="):
        Interpolation(Levels()).analyse(subject_of(None, tmp_path))


@pytest.mark.parametrize("wrong", [{"steps": 1}, {"n_halfway": 0}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(InvalidValueError, match="must be a whole number"):
        Interpolation(Levels(), **wrong)
