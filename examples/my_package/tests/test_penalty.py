import pytest
import torch

from my_package.penalty import ZeroBetween


def test_a_linear_discriminator_has_the_squared_norm_of_its_weights():
    weights = torch.tensor([1.0, -2.0, 2.0])

    def discriminator(images, labels):
        return images.flatten(1) @ weights

    images, labels, epsilon = torch.randn(4, 1, 1, 3), torch.zeros(4, dtype=torch.int64), torch.rand(4, 1, 1, 1)
    penalty = ZeroBetween(weight=0.5)(discriminator, images, -images, labels, epsilon)
    assert penalty.item() == pytest.approx(0.5 * 9)


def test_the_gradient_is_taken_between_the_images():
    def discriminator(images, labels):
        return images.square().sum(dim=(1, 2, 3))  # its gradient is twice the image

    real, fake, epsilon = torch.full((1, 1, 1, 1), 4.0), torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.25)
    assert ZeroBetween()(discriminator, real, fake, torch.zeros(1), epsilon).item() == pytest.approx(4.0)
