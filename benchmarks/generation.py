"""Measures the generation of a file of labelled images, compared with the forward pass of the same network."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch import nn

from benchmarks.clock import Row, rates, ratios, spread, time_interleaved
from benchmarks.setting import Setting, tiny_run
from fmcgan.app.config_dir import config_dir
from fmcgan.data.garments import GARMENTS
from fmcgan.generate import generate
from fmcgan.inference.generator import load_generator
from fmcgan.training.latent import latent_dim_of

IMAGES = 10_000
TRIAL = 2_000
BATCHES = (100, 250, 500, 1000)  # of the forward pass; the fastest is used


def measure(setting: Setting) -> list[Row]:
    """Returns one row: ``generate`` into an .npz, including loading, and the forward pass, with `dcgan` in fp32."""
    device = setting.device
    with tiny_run(setting) as run:
        network = load_generator(run, device=device).network
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        batch = _best_batch(network, device)
        actions: dict[str, Callable[[], object]] = {
            "file": _to_file(run, device),
            "forward": partial(_forward, network, device, IMAGES, batch),
        }
        seconds = time_interleaved(actions, device, setting.seconds)
    file, forward = (seconds[name] for name in actions)
    return [
        {
            "images": IMAGES,
            "into a file images/s": rates(IMAGES, file),
            "forward pass images/s": rates(IMAGES, forward),
            "batch of the forward pass": batch,
            "file / forward": ratios(forward, file),
        }
    ]


def _to_file(run: Path, device: torch.device) -> Callable[[], object]:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        overrides = [f"run={run}", f"n_per_class={IMAGES // GARMENTS.num_classes}", f"device={device.type}"]
        config = compose("generate", [*overrides, f"output={run / 'samples.npz'}"])
    return partial(generate, config)


def _best_batch(network: nn.Module, device: torch.device) -> int:
    actions = {batch: partial(_forward, network, device, TRIAL, batch) for batch in BATCHES}
    seconds = time_interleaved(actions, device, seconds=0)
    return min(BATCHES, key=lambda batch: spread(seconds[batch])["median"])


@torch.inference_mode()
def _forward(network: nn.Module, device: torch.device, images: int, batch: int) -> None:
    latents = torch.randn(batch, latent_dim_of(network), device=device)
    labels = torch.arange(batch, device=device) % GARMENTS.num_classes
    for _ in range(images // batch):
        network(latents, labels)
