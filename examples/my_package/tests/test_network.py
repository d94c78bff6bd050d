import pytest
import torch

from my_package.network import Discriminator, Generator


@pytest.mark.parametrize(("size", "channels"), [(16, 1), (28, 3)])
def test_shapes_for_images_of_any_size(size, channels):
    shape = {"num_classes": 5, "image_size": size, "channels": channels}
    generator, discriminator = Generator(latent_dim=6, width=4, **shape), Discriminator(width=4, **shape)
    labels = torch.arange(5)
    images = generator(torch.randn(5, 6), labels)
    assert images.shape == (5, channels, size, size)
    assert images.abs().max() <= 1
    assert discriminator(images, labels).shape == (5,)


def test_the_label_changes_image_and_logit():
    torch.manual_seed(0)
    shape = {"num_classes": 2, "image_size": 16, "channels": 1}
    generator, discriminator = Generator(latent_dim=6, width=4, **shape).eval(), Discriminator(width=4, **shape)
    latents, labels = torch.randn(1, 6).expand(2, 6), torch.arange(2)
    first, second = generator(latents, labels)
    assert not torch.equal(first, second)
    logits = discriminator(first.expand(2, 1, 16, 16), labels)
    assert logits[0] != logits[1]
