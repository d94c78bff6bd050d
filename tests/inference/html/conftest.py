"""Small generators that have learned a little, and what they draw."""

import pytest
import torch

from fmcgan.data.garments import GARMENTS


@pytest.fixture(scope="session")
def small():
    """Makes a generator of a configuration, with statistics of its own and large weights."""
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    from fmcgan.app.config_dir import config_dir

    def small(*overrides: str, info=GARMENTS):
        torch.manual_seed(0)
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose("train", ["network.width=8", "network.latent_dim=6", *overrides])
        config.dataset = info.as_config()
        network = instantiate(config.network.generator)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0, 0.2)
        with torch.no_grad():
            for _ in range(3):
                network(torch.randn(20, 6), torch.arange(20) % info.num_classes)
        return network.eval()

    return small
