from fmcgan.network.conv import Discriminator, Generator


def test_recipe_a_has_the_size_it_was_published_with():
    """About 3.4 M + 0.65 M parameters at 256 channels."""
    assert sum(p.numel() for p in Generator().parameters()) == 3_384_248
    assert sum(p.numel() for p in Discriminator().parameters()) == 647_973
