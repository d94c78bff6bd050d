import numpy as np
import pytest
import torch
from PIL import Image

from fmcgan.data.resize import Resize


def test_no_size_changes_nothing() -> None:
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    assert Resize().images(images) is images
    assert Resize(28).images(images) is images


@pytest.mark.parametrize("channels", [1, 3])
def test_box_is_the_mean_and_nearest_a_copy(channels: int) -> None:
    small = torch.randint(256, (2, channels, 16, 16), dtype=torch.uint8)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(Resize(16, "box").images(large), small)
    assert torch.equal(Resize(32, "nearest").images(small), large)


def test_none_adds_and_cuts_borders() -> None:
    images = torch.full((1, 1, 28, 28), 7, dtype=torch.uint8)
    padded = Resize(32, "none").images(images)
    assert padded.shape == (1, 1, 32, 32)
    assert padded[0, 0, 2:30, 2:30].eq(7).all()
    assert padded.sum() == images.sum()
    assert torch.equal(Resize(28, "none").images(padded), images)


@pytest.mark.parametrize(("aspect", "mean"), [("crop", 255), ("pad", 127.5), ("stretch", 255)])
def test_images_that_are_not_square(aspect: str, mean: float) -> None:
    wide = Image.fromarray(np.full((20, 40), 255, np.uint8))
    assert np.mean(Resize(20, "box", aspect).image(wide)) == pytest.approx(mean, abs=1)


def test_crop_takes_the_middle() -> None:
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = (1, 2, 3)
    assert np.array_equal(Resize().image(Image.fromarray(wide)), wide[:, 16:32])


@pytest.mark.parametrize("wrong", [{"filter": "cubic"}, {"aspect": "fit"}], ids=repr)
def test_wrong_values(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Resize(28, **wrong)
