import pytest
import torch

from fmcgan.augment.brightness import Brightness


def levels(n, *values):
    """n images whose first pixels have the given levels u = (x + 1) / 2, the others being background."""
    images = torch.full((n, 1, 28, 28), -1.0)
    images[:, 0, 0, : len(values)] = torch.tensor(values) * 2 - 1
    return images


def seen(images, count):
    return (images[:, 0, 0, :count] + 1) / 2


def test_brightness_is_one_factor_for_each_image():
    torch.manual_seed(0)
    changed = seen(Brightness(brightness=0.5, contrast=0)(levels(4000, 0.25, 0.5, 1.0)), 3)
    factors = changed[:, 2]
    assert torch.allclose(changed, factors[:, None] * torch.tensor([0.25, 0.5, 1.0]))
    assert 0.5 <= factors.min() < 0.51
    assert 1.49 < factors.max() <= 1.5
    assert factors.mean().item() == pytest.approx(1.0, abs=0.02)  # standard error 0.005


def test_contrast_is_a_curve_through_0_a_half_and_1():
    torch.manual_seed(0)
    changed = seen(Brightness(brightness=0, contrast=0.5)(levels(4000, 0.0, 0.5, 1.0, 0.25, 0.75, 0.1)), 6)
    assert torch.allclose(changed[:, :3], torch.tensor([0.0, 0.5, 1.0]))
    curve = (0.25 - changed[:, 3]) / 0.09375  # u (1 - u) (2 u - 1) = -0.25 * 0.75 * 0.5 at 0.25
    assert -0.5 <= curve.min() < -0.49
    assert 0.49 < curve.max() <= 0.5
    assert torch.allclose(changed[:, 4], 0.75 + 0.09375 * curve, atol=1e-6)
    assert torch.allclose(changed[:, 5], 0.1 - 0.072 * curve, atol=1e-6)  # 0.1 * 0.9 * 0.8


def test_the_strongest_contrast_still_keeps_the_order_of_levels():
    changed = seen(Brightness(brightness=0, contrast=1)(levels(2000, *torch.linspace(0, 1, 28).tolist())), 28)
    assert (changed.diff(dim=1) > -1e-6).all()


def test_the_background_stays_exactly_black():
    changed = Brightness(1, 1)(levels(50, 0.3))
    assert torch.equal(changed[:, :, 1:], torch.full((50, 1, 27, 28), -1.0))


def test_saturation_scales_the_distance_from_the_mean_of_the_channels():
    torch.manual_seed(0)
    colours = torch.tensor([0.2, 0.5, 0.8]).view(1, 3, 1, 1).expand(4000, 3, 4, 4) * 2 - 1
    changed = (Brightness(brightness=0, contrast=0, saturation=0.5)(colours) + 1) / 2
    factors = (changed[:, 2, 0, 0] - 0.5) / 0.3
    assert torch.allclose(changed[:, 1], torch.tensor(0.5))
    assert torch.allclose(changed[:, 0], 0.5 - 0.3 * factors[:, None, None], atol=1e-6)
    assert 0.5 <= factors.min() < 0.51
    assert 1.49 < factors.max() <= 1.5


def test_grey_images_are_changed_with_the_same_numbers_whatever_the_saturation():
    images = torch.rand(8, 1, 28, 28) * 2 - 1
    results = []
    for saturation in (0, 1):
        torch.manual_seed(0)
        results.append((Brightness(saturation=saturation)(images), torch.get_rng_state()))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_strengths_are_checked(name):
    with pytest.raises(ValueError, match=f"{name} must be a number from 0 to 1, got 1.5"):
        Brightness(**{name: 1.5})
