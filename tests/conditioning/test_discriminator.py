import math

import pytest
import torch
from torch import nn
from typing_extensions import override

from fmcgan.conditioning.discriminator.auxiliary_classifier import AuxiliaryClassifier
from fmcgan.conditioning.discriminator.base import ConditionalDiscriminator
from fmcgan.conditioning.discriminator.concatenation import Concatenation
from fmcgan.conditioning.discriminator.label_map import LabelMap
from fmcgan.conditioning.discriminator.none import NoConditioning
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.discriminator.shuffled import Shuffled

WAYS = [AuxiliaryClassifier, Concatenation, LabelMap, NoConditioning, Projection, Shuffled]


class Plain(ConditionalDiscriminator):
    def __init__(self, conditioning):
        super().__init__(conditioning)
        self.head = conditioning.head(conditioning.image_channels * 28 * 28)

    @override
    def features(self, seen):
        return seen.flatten(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def interaction(head, classes=(0, 1)):
    """How far logit(f, y) is from a(f) + b(y): f1 y1 - f1 y2 - f2 y1 + f2 y2."""
    features = torch.randn(2, 6)
    logits = [head(features, torch.full((2,), label)).logits for label in classes]
    difference = logits[0] - logits[1]
    return (difference[0] - difference[1]).abs().item()


def test_projection_by_hand():
    head = Projection(num_classes=3).head(2)
    head.logit.weight.data.copy_(torch.tensor([[1.0, 2.0]]))
    head.logit.bias.data.fill_(0.5)
    head.embedding.weight.data.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, -1.0]]))
    features = torch.tensor([[1.0, 1.0], [2.0, 1.0], [2.0, 4.0]])
    output = head(features, torch.tensor([0, 1, 2]))
    assert output.logits.tolist() == [3.5, 4.5 + 2.0, 10.5 + 6.0 - 4.0]
    assert output.auxiliary is None


def test_the_label_maps_plane_is_drawn_from_the_embedding():
    conditioning = LabelMap(embedding_dim=3, num_classes=4)
    images, labels = torch.randn(2, 1, 28, 28), torch.tensor([3, 0])
    seen = conditioning.combine(images, labels)
    assert seen.shape == (2, 2, 28, 28)
    assert torch.equal(seen[:, :1], images)
    embedding, linear = conditioning.plane[0], conditioning.plane[1]
    expected = (linear.weight @ embedding.weight[3] + linear.bias).view(28, 28)  # row by row
    assert torch.allclose(seen[0, 1], expected, atol=1e-6)


def test_the_label_maps_plane_is_one_more_channel_of_any_image():
    conditioning = LabelMap(embedding_dim=3, num_classes=4, channels=3, image_size=16)
    images = torch.randn(2, 3, 16, 16)
    seen = conditioning.combine(images, torch.tensor([3, 0]))
    assert seen.shape == (2, conditioning.image_channels, 16, 16) == (2, 4, 16, 16)
    assert torch.equal(seen[:, :3], images)


@pytest.mark.parametrize("way", [AuxiliaryClassifier, Concatenation, Projection])
def test_elsewhere_the_image_is_seen_alone(way):
    images = torch.randn(2, 1, 28, 28)
    assert torch.equal(way().combine(images, torch.tensor([3, 0])), images)
    assert way().image_channels == 1
    assert way(channels=3).image_channels == 3


@pytest.mark.parametrize("way", [Concatenation, Projection])
def test_the_label_does_more_than_add_a_number(way):
    head = way().head(6)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    assert interaction(head) > 0.1


def test_concatenation_written_out():
    head = Concatenation(embedding_dim=2, hidden_dim=3).head(6)
    features, labels = torch.randn(4, 6), torch.tensor([0, 1, 9, 1])
    first, _, second = head.layers
    hidden = features @ first.weight[:, :6].T + head.embedding.weight[labels] @ first.weight[:, 6:].T + first.bias
    expected = torch.where(hidden > 0, hidden, 0.2 * hidden) @ second.weight[0] + second.bias
    assert torch.allclose(head(features, labels).logits, expected, atol=1e-6)


def test_the_auxiliary_classifiers_cross_entropy_by_hand():
    head = AuxiliaryClassifier(weight=2.5, num_classes=3).head(2)
    head.classes.weight.data.copy_(torch.tensor([[0.0, 0.0], [math.log(2), 0.0], [0.0, math.log(5)]]))
    nn.init.zeros_(head.classes.bias)
    features = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # classes as 1 : 2 : 1, and as 1 : 2 : 5
    output = head(features, torch.tensor([1, 2]))
    assert output.auxiliary.tolist() == pytest.approx([2.5 * math.log(2), 2.5 * math.log(8 / 5)], rel=1e-5)
    assert output.logits.tolist() == pytest.approx(head.logit(features).flatten().tolist())


@pytest.mark.parametrize("way", [AuxiliaryClassifier, LabelMap, NoConditioning])
def test_here_the_logit_itself_does_not_see_the_label(way):
    head = way().head(6)
    features = torch.randn(2, 6)
    logits = [head(features, torch.full((2,), label)).logits for label in (0, 5)]
    assert torch.equal(*logits)


def test_shuffled_labels_are_those_of_the_batch_in_another_order_while_training():
    head, labels = Shuffled().head(6), torch.arange(10)
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(1, 6).expand(10, 6)  # so that the logits depend on the label only
    in_order = head.eval()(features, labels).logits
    shuffled = head.train()(features, labels).logits
    assert not torch.equal(shuffled, in_order)
    assert torch.allclose(shuffled.sort().values, in_order.sort().values)
    first = Projection().head(6)
    assert [each.shape for each in first.parameters()] == [each.shape for each in head.parameters()]


@pytest.mark.parametrize("way", WAYS)
def test_a_discriminators_logits_are_those_of_its_output(way):
    discriminator = Plain(way())
    images, labels = torch.randn(4, 1, 28, 28), torch.arange(4)
    output = discriminator.logits_and_auxiliary(images, labels)
    assert output.logits.shape == (4,)
    assert torch.equal(discriminator.eval()(images, labels), discriminator.logits_and_auxiliary(images, labels).logits)
    assert (output.auxiliary is not None) == (way is AuxiliaryClassifier)
    assert output.auxiliary is None or output.auxiliary.shape == (4,)


@pytest.mark.parametrize("way", WAYS)
def test_outputs_are_in_full_precision(way):
    with torch.autocast("cpu", torch.bfloat16):
        output = Plain(way()).logits_and_auxiliary(torch.randn(4, 1, 28, 28), torch.arange(4))
    assert all(each is None or each.dtype == torch.float32 for each in output)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Projection(num_classes=0), "num_classes must be a whole number of at least 1, got 0"),
        (lambda: LabelMap(embedding_dim=0), "embedding_dim must be a whole number of at least 1, got 0"),
        (lambda: Concatenation(hidden_dim="x"), "hidden_dim must be a whole number of at least 1, got 'x'"),
        (lambda: AuxiliaryClassifier(weight=-1), "weight must be a number of at least 0, got -1"),
    ],
)
def test_wrong_values_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
