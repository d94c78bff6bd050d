"""Sizes and channels of the feature maps of convolutional networks: one rule for images of every size."""

from fmcgan.app.checks import is_int
from fmcgan.app.errors import InvalidValueError
from fmcgan.data.info import LARGEST, SMALLEST

_COARSE = 8  # maps of at most this size are not halved again


def map_sizes(image_size: int) -> list[int]:
    """Returns the height and width of feature maps from the smallest to the image, each twice the one before.

    An image is halved twice, and further while its size is even and above 8: 4, 8, 16; 7, 14, 28; 8, 16, 32;
    5, 10, 20, 40; 8, 16, 32, 64.

    Raises:
        InvalidValueError: the size is not a multiple of 4 from 16 to 64.
    """
    if not is_int(image_size) or image_size % 4 or not SMALLEST <= image_size <= LARGEST:
        raise InvalidValueError(
            f"image_size must be a multiple of 4 from {SMALLEST} to {LARGEST}, got {image_size!r}", "image_size"
        )
    sizes = [image_size]
    while len(sizes) < 3 or (sizes[0] % 2 == 0 and sizes[0] > _COARSE):
        sizes.insert(0, sizes[0] // 2)
    return sizes


def map_channels(image_size: int, width: int) -> list[int]:
    """Returns the channels at each of `map_sizes`: ``width`` at the image, doubled at each halving, at most 8 times."""
    return [width * image_size // size for size in map_sizes(image_size)]
