import torch

from fmcgan.layer.layout import ToMap, ToVector


def test_a_vector_is_counted_pixel_by_pixel():
    vector = torch.arange(2 * 2 * 3.0)[None]
    image = ToMap(channels=3, size=2)(vector)
    assert image.shape == (1, 3, 2, 2)
    assert image[0, :, 0, 1].tolist() == [3.0, 4.0, 5.0]  # second pixel: its three channels


def test_both_crossings_are_views_in_channels_last_order():
    vector = torch.randn(4, 7 * 7 * 8)
    image = ToMap(channels=8, size=7)(vector)
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert image.data_ptr() == vector.data_ptr()
    back = ToVector()(image)
    assert torch.equal(back, vector)
    assert back.data_ptr() == vector.data_ptr()


def test_the_order_does_not_depend_on_the_layout():
    image = torch.randn(4, 8, 7, 7)
    assert torch.equal(ToVector()(image), ToVector()(image.contiguous(memory_format=torch.channels_last)))
