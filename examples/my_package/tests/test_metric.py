import pytest
import torch

from my_package.metric import variation


def test_values_counted_by_hand():
    image = torch.tensor([[0, 10], [30, 30]], dtype=torch.uint8).view(1, 1, 2, 2)
    assert variation(image).item() == pytest.approx(((30 + 20) / 2 + (10 + 0) / 2) / 2)


def test_an_even_image_has_none():
    assert variation(torch.full((3, 1, 4, 4), 7, dtype=torch.uint8)).tolist() == [0, 0, 0]
