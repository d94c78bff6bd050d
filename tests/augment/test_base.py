"""What holds for every augmentation."""

import pytest
import torch

from fmcgan.augment.adaptive import Adaptive
from fmcgan.augment.brightness import Brightness
from fmcgan.augment.cutout import Cutout
from fmcgan.augment.diff_augment import DiffAugment
from fmcgan.augment.none import NoAugmentation
from fmcgan.augment.translation import Translation


def half_of_the_time():
    adaptive = Adaptive(Brightness())
    adaptive.p.fill_(0.5)
    return adaptive


ALL = {
    "none": NoAugmentation,
    "translation": Translation,
    "cutout": Cutout,
    "brightness": Brightness,
    "diff_augment": lambda: DiffAugment({"shift": Translation(), "hole": Cutout(), "light": Brightness()}),
    "adaptive": half_of_the_time,
}
each = pytest.mark.parametrize("make", ALL.values(), ids=ALL)
each_random = pytest.mark.parametrize("make", [ALL[name] for name in ALL if name != "none"])


def garments(n=64):
    """Random garments whose background is -1."""
    images = torch.full((n, 1, 28, 28), -1.0)
    images[:, :, 4:24, 4:24] = torch.rand(n, 1, 20, 20) * 2 - 1
    return images


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeps_shape_and_dtype_and_leaves_its_input_alone(make, dtype):
    images = garments().to(dtype)
    before = images.clone()
    changed = make()(images)
    assert changed.shape == images.shape
    assert changed.dtype == dtype
    assert torch.equal(images, before)


@each
@pytest.mark.parametrize("size", [16, 32, 64])
def test_images_in_colour_keep_their_shape_and_are_changed_alike_in_all_channels(make, size):
    """Three equal channels stay equal: shifts and holes are those of the image, and grey has no colour."""
    images = (torch.rand(8, 1, size, size) * 2 - 1).expand(-1, 3, -1, -1)
    changed = make()(images)
    assert changed.shape == (8, 3, size, size)
    assert torch.allclose(changed, changed[:, :1].expand(-1, 3, -1, -1), atol=1e-6)


@each_random
def test_same_seed_same_images_other_seed_other_images(make):
    images, augment = garments(), make()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(images))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@each_random
def test_copies_of_one_image_are_changed_differently(make):
    images = garments(1).expand(64, -1, -1, -1).contiguous()
    distinct = {tuple(image.flatten().tolist()) for image in make()(images)}
    assert len(distinct) > 16


@each
def test_an_image_is_changed_whatever_else_is_in_the_batch(make):
    images, others, augment = garments(8), garments(8), make()
    others[3] = images[3]
    torch.manual_seed(0)
    changed = augment(images)[3]
    torch.manual_seed(0)
    assert torch.equal(augment(others)[3], changed)


@each
def test_a_black_image_stays_black(make):
    black = torch.full((16, 1, 28, 28), -1.0)
    assert torch.equal(make()(black), black)


@each
def test_gradients_reach_the_images_and_are_right(make):
    augment, images = make().double(), garments(3).double().requires_grad_()

    def seeded(images):
        torch.manual_seed(5)
        return augment(images)

    direction = torch.randn_like(images)
    (gradient,) = torch.autograd.grad((seeded(images) * direction).sum(), images)
    assert gradient.abs().amax(dim=(1, 2, 3)).min() > 0
    step = 1e-6 * torch.randn_like(images)
    difference = ((seeded(images + step) - seeded(images - step)) * direction).sum() / 2
    assert difference.item() == pytest.approx((gradient * step).sum().item(), rel=1e-5)


@each
def test_needs_no_value_on_the_host(make):
    """On the meta device there are no values: reading one, or a shape that depends on one, is an error."""
    augment = make().to("meta")
    assert augment(torch.empty(4, 1, 28, 28, device="meta")).shape == (4, 1, 28, 28)
    augment.update(torch.empty(4, device="meta"))
