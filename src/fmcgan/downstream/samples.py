"""Where generated images come from: given samples, a generator, or one that is trained on each set of real images."""

import hashlib
import logging
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from fmcgan.app import run_dir
from fmcgan.app.errors import UserError
from fmcgan.app.overrides import quoted
from fmcgan.data.stratified import shuffled_members
from fmcgan.data.subset import Subset
from fmcgan.inference.generator import load_generator
from fmcgan.metric.image_set import ImageSet
from fmcgan.training.latent import seed_of
from fmcgan.training.sampling import sample_classes

log = logging.getLogger(__name__)


class SampleSource(ABC):
    """Gives generated images for a set of real images, which `Subset` chose."""

    name: str  # for tables and findings

    @abstractmethod
    def key(self, real: Subset) -> str:
        """Identifies the images of `draw`, as part of the key of stored results; draws nothing."""

    @abstractmethod
    def draw(self, counts: Sequence[int], real: Subset) -> tuple[Tensor, Tensor]:
        """Draws ``counts`` images of each class: uint8 [M, C, H, W] and int64 [M].

        The images of a smaller count are the first ones of a larger count. Another seed of ``real`` gives others.
        """

    def available(self, real_counts: Tensor) -> Tensor | None:
        """Returns how many images of each class there are, beside real ones, int64 [K]; ``None``: as many as needed."""
        return None

    @abstractmethod
    def saw_only(self, n: int) -> bool | None:
        """Whether the generator was trained on the n real images and no others; ``None``: unknown."""


class GivenSamples(SampleSource):
    """Samples of a file or folder, or the real training images.

    Args:
        samples: all of them.
        name: of the source.
        are_training: whether these are the training images. Then `draw` gives held-out ones: not among the n.
    """

    def __init__(self, samples: ImageSet, name: str, are_training: bool = False) -> None:
        self.name = name
        self._samples, self._are_training = samples, are_training

    def key(self, real: Subset) -> str:
        """The hash of the samples, and the seed of the choice among them."""
        return f"samples {self._samples.fingerprint} seed {real.seed}"

    def draw(self, counts: Sequence[int], real: Subset) -> tuple[Tensor, Tensor]:
        """Chooses at random; of training images from the end of the order that `Subset` takes the beginning of."""
        labels = self._samples.labels
        chosen = torch.cat(
            [shuffled_members(labels, label, real.seed).flip(0)[:count] for label, count in enumerate(counts)]
        )
        return self._samples.images[chosen], labels[chosen]

    def available(self, real_counts: Tensor) -> Tensor | None:
        """The samples of each class, without the real ones."""
        sizes = self._samples.labels.bincount(minlength=len(real_counts))
        return sizes - real_counts if self._are_training else sizes

    def saw_only(self, n: int) -> bool | None:
        """Unknown for a file; training images are not those n."""
        return False if self._are_training else None


class GeneratorSamples(SampleSource):
    """Samples of one generator.

    Args:
        network: G(latent, labels), with `latent_dim`.
        name: of the source.
        seed: of the samples.
        n_seen: number of real images that it was trained on, all of those in use here; ``None``: unknown.
    """

    def __init__(self, network: nn.Module, name: str, seed: int, n_seen: int | None) -> None:
        self.name = name
        self._network, self._seed, self._n_seen = network, seed, n_seen
        weights = hashlib.sha256()
        for value in network.state_dict().values():
            weights.update(value.cpu().contiguous().numpy().tobytes())
        self._version = weights.hexdigest()
        self._drawn: tuple[int, dict[int, Tensor]] = (-1, {})  # seed, and images by label

    def key(self, real: Subset) -> str:
        """The hash of the weights, and both seeds."""
        return f"generator {self._version} seeds {self._seed} {real.seed}"

    def draw(self, counts: Sequence[int], real: Subset) -> tuple[Tensor, Tensor]:
        """Draws new images; those of the last seed are kept in memory."""
        if self._drawn[0] != real.seed:
            self._drawn = real.seed, {}
        drawn, seed = self._drawn[1], seed_of(self._seed, real.seed + 1)
        for label, count in enumerate(counts):
            have = len(drawn[label]) if label in drawn else 0
            if count > have:
                new, _ = sample_classes(self._network, [label], count - have, seed, first=have)
                drawn[label] = torch.cat([drawn[label], new]) if have else new
        images = [drawn[label][:count] for label, count in enumerate(counts) if count]
        return torch.cat(images), torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))

    def saw_only(self, n: int) -> bool | None:
        """Whether n is the number of images that it was trained on."""
        return None if self._n_seen is None else self._n_seen == n


class ScratchSamples(SampleSource):
    """Samples of generators that ``fmcgan.train`` trains on each set of real images, and on no others.

    Finished trainings are found again, interrupted ones are resumed.

    Args:
        folder: for a run folder of each training.
        overrides: of ``fmcgan.train``: the recipe and the data set.
        seed: of the samples.
        device: of the generators, once trained.
        weights: ``ema`` or ``raw``.
        trust: packages whose classes the generators may name, as for `load_generator`.
    """

    name = "generators trained on the n real images"

    def __init__(
        self,
        folder: Path,
        overrides: Sequence[str],
        seed: int,
        device: str,
        weights: str,
        trust: Collection[str] = (),
    ) -> None:
        self._folder, self._overrides, self._seed = folder, tuple(overrides), seed
        self._device, self._weights, self._trust = device, weights, trust
        self._loaded: tuple[Subset, GeneratorSamples] | None = None

    def key(self, real: Subset) -> str:
        """The recipe, the weights and all seeds."""
        return f"{self._run_name(real)} {self._weights} seed {self._seed}"

    def draw(self, counts: Sequence[int], real: Subset) -> tuple[Tensor, Tensor]:
        """Draws from the generator of these real images, which is trained first unless it is there."""
        if self._loaded is None or self._loaded[0] != real:
            generator = load_generator(self._trained(real), self._weights, self._device, self._trust)
            self._loaded = real, GeneratorSamples(generator.network, self.name, self._seed, real.n)
        return self._loaded[1].draw(counts, real)

    def saw_only(self, n: int) -> bool | None:
        """True."""
        return True

    def _run_name(self, real: Subset) -> str:
        recipe = hashlib.sha256("\n".join(self._overrides).encode()).hexdigest()[:8]
        tail = "" if real.long_tail is None else f"_tail{real.long_tail:g}"
        return f"n{real.n}{tail}_seed{real.seed}_{recipe}"

    def _trained(self, real: Subset) -> Path:
        run = self._folder / self._run_name(real)
        if (run / run_dir.RESULT).is_file():
            return run
        checkpoint = run / run_dir.LAST_CHECKPOINT
        tail = "null" if real.long_tail is None else f"{real.long_tail:g}"
        subset = [f"data.subset.n={real.n}", f"data.subset.long_tail={tail}", f"data.subset.seed={real.seed}"]
        new = [*self._overrides, *subset, f"seed={real.seed}", f"hydra.run.dir={quoted(str(run))}"]
        overrides = [f"ckpt_path={quoted(str(checkpoint))}"] if checkpoint.is_file() else new
        log.info("training a generator on %d real images, seed %d, in %s", real.n, real.seed, os.path.relpath(run))
        if code := _run([sys.executable, "-m", "fmcgan.train", *overrides]):
            said = f"the training of a generator in {os.path.relpath(run)} ended with exit code {code}"
            raise UserError(f"{said}; its message is above. The same command resumes it")
        return run


def _run(command: Sequence[str]) -> int:
    """Runs a process and returns its exit code; lets it save a checkpoint if this process is stopped."""
    process = subprocess.Popen(command)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
