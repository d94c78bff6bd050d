import torch
from torch import Tensor

from fmcgan.metric.image_set import FeatureNetwork, ImageSet
from fmcgan.metric.results_store import Store
from tests.garments import garment_set


class Brightness(FeatureNetwork):
    """The mean grey level, and a note of every batch that was read for it."""

    name = "brightness"
    num_features = 1

    def __init__(self, version: str = "1", batch_size: int = 4) -> None:
        self.version = version
        self.batch_size = batch_size
        self.batches: list[int] = []

    def _extract(self, images: Tensor) -> dict[str, Tensor]:
        self.batches.append(len(images))
        return {"features": images.double().mean(dim=(2, 3)), "logits": torch.zeros(len(images), 10)}


def flat_images(count: int, store: Store | None = None) -> ImageSet:
    """Image ``i`` has the grey level ``i`` everywhere."""
    levels = torch.arange(count, dtype=torch.uint8)
    return garment_set(levels.reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28), torch.arange(count) % 10, store=store)


def test_all_images_are_read_in_their_order_by_batches():
    network = Brightness()
    features = network.features(flat_images(11))
    assert network.batches == [4, 4, 3]
    assert features.dtype == torch.float32  # though the network computed in float64
    assert features.tolist() == [[float(level)] for level in range(11)]


def test_features_computed_by_hand(quadrants):
    image = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    image[1, 0, :14, 14:] = 100
    image[1, 0, 14:, :7] = 20
    assert quadrants.features(garment_set(image, torch.tensor([0, 1]))).tolist() == [[0, 0, 0, 0], [0, 100, 10, 0]]


def test_a_set_is_read_once_by_all_networks_of_a_version():
    images, network, same, other = flat_images(3), Brightness(), Brightness(batch_size=1), Brightness(version="2")
    first = network.features(images)
    assert network.outputs(images).keys() == {"features", "logits"}
    assert same.features(images) is first
    other.features(images)
    assert (network.batches, same.batches, other.batches) == ([3], [], [3])


def test_a_set_with_a_store_is_read_once_in_all_processes(tmp_path):
    Brightness().features(flat_images(3, Store(tmp_path)))
    later = Brightness()
    assert later.features(flat_images(3, Store(tmp_path))).tolist() == [[0.0], [1.0], [2.0]]
    assert later.batches == []


def test_no_gradients_are_kept():
    class Weighted(Brightness):
        weight = torch.ones(1, requires_grad=True)

        def _extract(self, images: Tensor) -> dict[str, Tensor]:
            return {"features": images.float().mean(dim=(2, 3)) * self.weight}

    assert not Weighted().features(flat_images(2)).requires_grad
