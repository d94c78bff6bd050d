from torch import nn

from fmcgan.network.mlp import Discriminator, Generator


def test_recipe_b_has_the_layers_it_was_published_with():
    sizes = [layer.weight.shape for layer in Generator().layers if isinstance(layer, nn.Linear)]
    assert [tuple(size) for size in sizes] == [(128, 110), (256, 128), (512, 256), (1024, 512), (784, 1024)]
    sizes = [layer.weight.shape for layer in Discriminator().layers if isinstance(layer, nn.Linear)]
    assert [tuple(size) for size in sizes] == [(1024, 794), (512, 1024), (256, 512), (128, 256), (1, 128)]
