import pytest
import torch

from fmcgan.conditioning.discriminator.projection import Projection
from fmcgan.conditioning.generator.shared_embedding import SharedEmbedding
from fmcgan.loss.non_saturating import NonSaturating
from fmcgan.network import conv, dcgan, mlp
from fmcgan.penalty.zero_centered import ZeroCenteredGradientPenalty
from fmcgan.training.step import AdversarialStep

NETWORKS = {"dcgan": (dcgan, {"width": 4}), "conv": (conv, {"width": 4}), "mlp": (mlp, {"width": 16})}


@pytest.fixture
def make_step():
    """Builds a small step, the same one each time, without Lightning."""

    def make_step(network="dcgan", *, loss=None, penalty=None, clip=None, judged_by=None, **parts) -> AdversarialStep:
        torch.manual_seed(0)
        module, size = NETWORKS[network]
        if network == "dcgan":
            players = (
                module.Generator(SharedEmbedding(latent_dim=8, embedding_dim=3), **size),
                module.Discriminator(judged_by or Projection(), **size),
            )
        else:
            players = module.Generator(latent_dim=8, **size), module.Discriminator(**size)
        optimizers = [torch.optim.Adam(player.parameters(), 1e-3, (0.5, 0.999), fused=True) for player in players]
        penalty = penalty or ZeroCenteredGradientPenalty(interval=2)
        return AdversarialStep(*players, loss or NonSaturating(), penalty, *optimizers, clip, clip, **parts)

    return make_step


@pytest.fixture
def make_inputs():
    """Real images, labels, latents and epsilon of one step."""

    def make_inputs(seed=0, n=8):
        draw = torch.Generator().manual_seed(seed)
        real = torch.rand(n, 1, 28, 28, generator=draw) * 2 - 1
        return real, torch.arange(n) % 10, torch.randn(n, 8, generator=draw), torch.rand(n, 1, 1, 1, generator=draw)

    return make_inputs
