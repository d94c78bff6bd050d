import pytest
import torch
import torch.nn.functional as F
from torch import nn

from fmcgan.conditioning.generator.base import UnconditionalBatchNorm
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.conditional_batch_norm import ConditionalBatchNorm
from fmcgan.conditioning.generator.embedding_product import EmbeddingProduct
from fmcgan.conditioning.generator.none import NoConditioning
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding

WAYS = [Concatenation, EmbeddingProduct, ConditionalBatchNorm, SharedEmbedding]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def numbered(embedding: nn.Embedding):
    """Row y, column d becomes 10 y + d."""
    rows, columns = embedding.weight.shape
    embedding.weight.data.copy_(10.0 * torch.arange(rows)[:, None] + torch.arange(columns))


@pytest.mark.parametrize("way", WAYS)
def test_the_label_enters_where_the_class_says(way):
    conditioning = way(latent_dim=6, num_classes=3)
    z = torch.randn(4, 6)
    layer = conditioning.normalisation(5)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    features = torch.randn(4, 5, 2, 2)
    inputs, outputs = [], []
    for label in (0, 2):
        input, condition = conditioning.combine(z, torch.full((4,), label))
        assert input.shape == (4, conditioning.input_dim)
        inputs.append(input)
        outputs.append(layer(features, condition))
    assert torch.equal(*inputs) != conditioning.at_input
    assert torch.equal(*outputs) == (way in (Concatenation, EmbeddingProduct))
    assert not torch.equal(*inputs) or not torch.equal(*outputs)


def test_without_conditioning_the_label_changes_nothing():
    conditioning, z = NoConditioning(latent_dim=6, num_classes=3), torch.randn(4, 6)
    layer, features = conditioning.normalisation(5).eval(), torch.randn(4, 5, 2, 2)
    both = [conditioning.combine(z, torch.full((4,), label)) for label in (0, 2)]
    assert all(torch.equal(input, z) for input, _ in both)
    assert torch.equal(*(layer(features, condition) for _, condition in both))


def test_concatenation_by_hand():
    conditioning = Concatenation(latent_dim=2, embedding_dim=3, num_classes=4)
    numbered(conditioning.embedding)
    input, _ = conditioning.combine(torch.tensor([[0.5, -0.5], [7.0, 8.0]]), torch.tensor([3, 0]))
    assert input.tolist() == [[0.5, -0.5, 30, 31, 32], [7, 8, 0, 1, 2]]


def test_embedding_product_by_hand():
    conditioning = EmbeddingProduct(latent_dim=2, num_classes=4)
    numbered(conditioning.embedding)
    input, _ = conditioning.combine(torch.tensor([[0.5, -0.5], [7.0, 8.0]]), torch.tensor([3, 0]))
    assert input.tolist() == [[15, -15.5], [0, 8]]


@pytest.mark.parametrize("training", [True, False])
def test_labelled_batch_norm_is_torchs_then_the_gain_and_bias_of_the_class(training):
    layer = ConditionalBatchNorm(num_classes=3).normalisation(5).train(training)
    assert layer.gain.weight.mean().item() == pytest.approx(1, abs=0.05)
    assert not layer.bias.weight.any()
    nn.init.normal_(layer.bias.weight)
    nn.init.uniform_(layer.norm.running_mean), nn.init.uniform_(layer.norm.running_var, 0.5, 2)
    features, labels = 3 * torch.randn(6, 5, 4, 4) + 1, torch.tensor([0, 1, 2, 2, 1, 1])
    mean, variance = layer.norm.running_mean.clone(), layer.norm.running_var.clone()
    normalised = F.batch_norm(features, mean, variance, training=training)
    output = layer(features, labels)
    for sample, label in enumerate(labels):
        gain, bias = layer.gain.weight[label], layer.bias.weight[label]
        expected = gain[:, None, None] * normalised[sample] + bias[:, None, None]
        assert torch.allclose(output[sample], expected, atol=1e-5)
    assert torch.allclose(layer.norm.running_mean, mean)
    assert torch.allclose(layer.norm.running_var, variance)


def test_shared_embedding_by_hand():
    conditioning = SharedEmbedding(latent_dim=2, embedding_dim=3, num_classes=4)
    numbered(conditioning.embedding)
    z = torch.tensor([[0.5, -0.5], [7.0, 8.0]])
    input, condition = conditioning.combine(z, torch.tensor([3, 0]))
    assert torch.equal(input, z)
    assert condition.tolist() == [[0.5, -0.5, 30, 31, 32], [7, 8, 0, 1, 2]]
    layer = conditioning.normalisation(6)
    features = torch.randn(2, 6, 4, 4)
    normalised = F.batch_norm(features, None, None, training=True)
    gain = 1 + condition @ layer.gain.weight.T
    bias = condition @ layer.bias.weight.T
    expected = gain[:, :, None, None] * normalised + bias[:, :, None, None]
    assert torch.allclose(layer(features, condition), expected, atol=1e-5)


@pytest.mark.parametrize("way", [Concatenation, EmbeddingProduct])
def test_elsewhere_batch_norm_is_torchs(way):
    layer = way().normalisation(5)
    assert isinstance(layer, UnconditionalBatchNorm)
    features = torch.randn(6, 5, 4, 4)
    expected = F.batch_norm(features, None, None, layer.norm.weight, layer.norm.bias, training=True)
    assert torch.allclose(layer(features, torch.arange(6)), expected, atol=1e-6)


@pytest.mark.parametrize("way", WAYS)
def test_half_precision_stays_half(way):
    conditioning = way(latent_dim=6)
    layer = conditioning.normalisation(5)
    _, condition = conditioning.combine(torch.randn(4, 6), torch.arange(4))
    features = torch.randn(4, 5, 3, 3).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(features.bfloat16(), condition)
    assert output.dtype == torch.bfloat16
    assert output.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["latent_dim", "num_classes"])
def test_sizes_are_checked(way, name):
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got 0"):
        way(**{name: 0})


@pytest.mark.parametrize("way", [Concatenation, SharedEmbedding])
def test_the_embeddings_size_is_checked(way):
    with pytest.raises(ValueError, match=r"embedding_dim must be a whole number of at least 1, got 2\.5"):
        way(embedding_dim=2.5)
