"""Settings of all benchmarks, and the configurations that they measure, composed without a command line."""

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from fmcgan.app.config_dir import config_dir
from fmcgan.app.errors import UserError
from fmcgan.data.datamodule import ImageSplits
from fmcgan.data.fashion_mnist import FashionMNISTData
from fmcgan.train import build
from fmcgan.training.gan import ConditionalGAN

CHECKOUT = Path(__file__).resolve().parents[1]
DATA = CHECKOUT / "data"


@dataclass(frozen=True)
class Setting:
    """Settings from the command line.

    Attributes:
        device: of all measurements.
        networks: keys of ``configs/network``.
        precisions: ``trainer.precision`` of each measurement.
        batch_size: images in a batch.
        steps: training steps in one block, a multiple of every penalty's interval.
        seconds: duration of one comparison, which has at least three rounds.
        changes: overrides for all benchmarks, such as ``network.width=8``.
    """

    device: torch.device
    networks: tuple[str, ...] = ("dcgan", "conv", "mlp")
    precisions: tuple[str, ...] = ("32-true", "bf16-mixed")
    batch_size: int = 128
    steps: int = 4
    seconds: float = 20.0
    changes: tuple[str, ...] = ()

    @property
    def overrides(self) -> list[str]:
        """Returns the overrides for device and data. The rest is the default recipe."""
        accelerator = "gpu" if self.device.type == "cuda" else self.device.type
        data = ["data=fashion_mnist", f"data.root={DATA}"] if has_real_images() else ["data=synthetic"]
        return [*data, f"trainer.accelerator={accelerator}", *self.changes]

    def config(self, *overrides: str, folder: Path = Path()) -> DictConfig:
        """Composes the configuration of a run, as `fmcgan.train` does. Later overrides win."""
        defaults = ["trainer.precision=32-true", f"data.batch_size={self.batch_size}"]
        folders = [f"trainer.default_root_dir={folder}", f"++logger.tensorboard.save_dir={folder}"]
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            config = compose("train", [*self.overrides, *defaults, *folders, *overrides])
        with open_dict(config):
            config.pop("hydra", None)
        config.dataset = instantiate(config.data).info.as_config()
        return config

    def gan(self, *overrides: str) -> ConditionalGAN:
        """Builds a new `ConditionalGAN` on the device."""
        return build(self.config(*overrides, "callback=[]", "logger=[]"))[1].to(self.device)

    @functools.cached_property
    def images(self) -> ImageSplits:
        """The data set, on the device."""
        return instantiate(self.config().data).load().to(self.device)


def fit(config: DictConfig, *callbacks: Callback) -> ConditionalGAN:
    """Trains as `fmcgan.train` does, with further callbacks after the configured ones. Returns the GAN, on the CPU."""
    trainer, gan, data = build(config)
    all_callbacks: list[Callback] = getattr(trainer, "callbacks", [])
    all_callbacks.extend(callbacks)
    for callback in all_callbacks:
        if hasattr(callback, "configure"):
            callback.configure(OmegaConf.to_container(config, resolve=True))
    trainer.fit(gan, data, ckpt_path=config.ckpt_path, weights_only=True)
    return gan


@contextlib.contextmanager
def tiny_run(setting: Setting) -> Iterator[Path]:
    """Trains for a few steps and yields the run folder."""
    with TemporaryDirectory() as folder:
        callbacks = "callback=[metrics_logger,checkpointing,run_info]"
        few = ["trainer.max_epochs=1", "trainer.limit_train_batches=8"]
        fit(setting.config(callbacks, "metric=[]", *few, folder=Path(folder)))
        yield Path(folder)


@functools.cache
def has_real_images() -> bool:
    """Whether Fashion-MNIST is in ``data/`` or can be downloaded. Otherwise synthetic images are used."""
    try:
        FashionMNISTData(DATA, os.environ.get("FMCGAN_DATA_MIRROR"), batch_size=1, seed=0).prepare_data()
    except UserError:
        return False
    return True
