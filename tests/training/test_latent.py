import numpy as np
import pytest
import torch

from fmcgan.training.latent import LatentStream, draw_latents, seed_of


def test_a_longer_draw_only_adds_vectors_at_the_end():
    long = draw_latents(seed=3, label=8, n=100, latent_dim=16)
    assert torch.equal(draw_latents(3, 8, 7, 16), long[:7])
    assert torch.equal(draw_latents(3, 8, 5, 16, first=60), long[60:65])


def test_many_short_draws_give_the_vectors_of_a_long_one():
    key = np.random.SeedSequence((3, 8))
    long = np.random.Generator(np.random.Philox(key)).standard_normal((100, 7), dtype=np.float32)
    stream = LatentStream(3, 8, latent_dim=7, first=5)
    pieces = [stream.draw(n) for n in (1, 0, 33, 61)]  # 7 x 33 is odd: half of a 64-bit number is left over
    assert np.array_equal(torch.cat(pieces).numpy(), long[5:])


def test_seeds_and_classes_have_streams_of_their_own():
    vectors = torch.stack([draw_latents(seed, label, 1, 64)[0] for seed in range(4) for label in range(10)])
    correlations = torch.corrcoef(vectors) - torch.eye(40)
    assert correlations.abs().max() < 0.6  # 40 independent vectors of 64 numbers: about 0.5 at the most


def test_standard_normal():
    values = draw_latents(0, 0, 10_000, 10)
    assert values.dtype == torch.float32
    assert values.mean().item() == pytest.approx(0, abs=0.02)
    assert values.std().item() == pytest.approx(1, abs=0.02)


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    draw_latents(0, 0, 10, 10)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_of_neighbours_differ_and_fit_a_generator():
    seeds = {seed_of(0, images, rank) for images in range(0, 12800, 128) for rank in range(2)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
    torch.manual_seed(max(seeds))
