"""Networks for images of other sizes, channels and numbers of classes than those of Fashion-MNIST."""

import pytest
import torch
from torch import nn

from fmcgan.app.errors import InvalidValueError
from fmcgan.conditioning.discriminator.label_map import LabelMap
from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.concatenation import Concatenation
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.network import conv, dcgan, mlp, r3, resnet
from fmcgan.network.scales import map_sizes

NETWORKS = {conv: 8, dcgan: 8, mlp: 16, resnet: 8, r3: 8}  # and their widths
SIZES = range(16, 65, 4)


def pair(module, image_size, channels, num_classes, **options):
    """Builds generator and discriminator, with a label map where there is a conditioning."""
    shape = {"image_size": image_size, "channels": channels}
    options |= {"width": NETWORKS[module]}
    if module in (conv, mlp):
        options |= shape | {"num_classes": num_classes}
        return module.Generator(latent_dim=6, **options), module.Discriminator(**options)
    way = (Concatenation if module is r3 else SharedEmbedding)(6, 3, num_classes)
    seen_as = LabelMap(3, num_classes, **shape)
    generator = module.Generator(way, **options, **shape)
    return generator, module.Discriminator(seen_as, **options, image_size=image_size)


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("module", NETWORKS)
def test_every_size_is_mapped_to_images_and_logits(module, image_size):
    with torch.device("meta"):
        labels = torch.zeros(3, dtype=torch.int64)
        for channels in (1, 3):
            generator, discriminator = pair(module, image_size, channels, num_classes=1000)
            images = generator(torch.empty(3, 6), labels)
            assert images.shape == (3, channels, image_size, image_size)
            assert discriminator(images, labels).shape == (3,)
            assert generator.num_classes == discriminator.num_classes == 1000


@pytest.mark.parametrize("module", [dcgan, resnet])
def test_layers_are_named_after_the_size_they_produce(module):
    """Checkpoints of images of 28 pixels hold ``to_14`` and ``to_28``."""
    for image_size, names in ((28, ["to_14", "to_28"]), (40, ["to_10", "to_20", "to_40"])):
        generator, _ = pair(module, image_size, 1, 10)
        assert [name for name, _ in generator.named_children() if name[3:].isdecimal()] == names


def test_the_discriminator_of_conv_has_a_convolution_for_each_halving():
    for image_size, names in ((28, ["first", "second"]), (40, ["first", "second", "third"])):
        _, discriminator = pair(conv, image_size, 3, 10)
        layers = {name: layer for name, layer in discriminator.named_children() if isinstance(layer, nn.Conv2d)}
        assert list(layers) == names
        assert [layer.in_channels for layer in layers.values()] == [4, *[8] * (len(names) - 1)]


@pytest.mark.parametrize(
    ("image_size", "sizes"), [(16, [8, 4]), (28, [14, 7, 4]), (36, [18, 9, 5, 3]), (52, [26, 13, 7, 4])]
)
def test_the_discriminator_of_dcgan_halves_until_4_pixels_are_left(image_size, sizes):
    _, discriminator = pair(dcgan, image_size, 3, 5)
    seen = []
    for layer in discriminator.body:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1:]))
    discriminator(torch.randn(2, 3, image_size, image_size), torch.tensor([0, 4]))
    assert seen == [(8 * 2**level, size, size) for level, size in enumerate(sizes)]


@pytest.mark.parametrize("image_size", [16, 40, 64])
def test_attention_is_at_half_the_size_of_the_image(image_size):
    seen = []
    for network in pair(resnet, image_size, 3, 5, attention=True):
        for module in network.modules():
            if type(module).__name__ == "SelfAttention":
                module.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2:]))
        on_images = isinstance(network, resnet.Discriminator)
        input = torch.randn(2, 3, image_size, image_size) if on_images else torch.randn(2, 6)
        assert network(input, torch.tensor([0, 4])).isfinite().all()
    assert seen == [(image_size // 2, image_size // 2)] * 2


@pytest.mark.parametrize("module", [conv, dcgan, resnet, r3])
def test_channels_last_and_spectral_norm_work_with_three_doublings(module):
    torch.manual_seed(0)
    for network in pair(module, 40, 3, 5, spectral_norm=True):
        network.eval()
        input = torch.randn((4, 6) if hasattr(network, "latent_dim") else (4, 3, 40, 40))
        labels = torch.arange(4)
        with torch.no_grad():
            expected = network(input, labels)
            last = network.to(memory_format=torch.channels_last)(input, labels)
        assert torch.allclose(last, expected, atol=1e-5, rtol=1e-4)


def test_r3_scales_its_first_blocks_by_their_number_at_all_sizes():
    """Fixup's factor is a property of the depth: three scales at 28, four at 64."""
    torch.manual_seed(0)
    deviations = []
    for image_size in (28, 64):
        network = r3.Discriminator(Projection(), width=256, image_size=image_size)
        assert len(map_sizes(image_size)) == sum(isinstance(m, r3.ResidualBlock) for m in network.modules())
        block = next(m for m in network.modules() if isinstance(m, r3.ResidualBlock))
        deviations.append(block.expand.weight.std().item())
    assert deviations[1] / deviations[0] == pytest.approx((3 / 4) ** 0.25, rel=0.01)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: pair(dcgan, 30, 1, 10), r"^image_size must be a multiple of 4 from 16 to 64, got 30"),
        (lambda: pair(conv, 8, 1, 10), r"^image_size must be a multiple of 4 from 16 to 64, got 8"),
        (lambda: resnet.Discriminator(Projection(), image_size=68), r"^image_size must be .* got 68"),
        (lambda: r3.Discriminator(Projection(), image_size="28"), r"^image_size must be .* got '28'"),
        (lambda: pair(mlp, 0, 1, 10), r"^image_size must be a whole number of at least 1, got 0"),
        (lambda: pair(r3, 32, 0, 10), r"^channels must be a whole number of at least 1, got 0"),
        (lambda: mlp.Generator(channels=1.5), r"^channels must be a whole number of at least 1, got 1\.5"),
        (lambda: Projection(channels=0), r"^channels must be a whole number of at least 1, got 0"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(build, message):
    with pytest.raises(InvalidValueError, match=message):
        build()
