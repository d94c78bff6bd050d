"""Records a step with torch's dispatcher, on any device: every operation, with the tensors that it reads and writes.

Replaying such a tape does on a CPU what a CUDA graph does on a GPU: whatever the host decided while recording is
frozen, and every tensor stays where it was.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fmcgan.training.cuda_graphs import Record
from fmcgan.training.step import AdversarialStep


class Tape(TorchDispatchMode):
    """Records the operations of a context."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs and records an operation."""
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        """Runs the operations again, and writes their results where those of the recording are."""
        for func, args, kwargs, result in self.operations:
            for old, new in zip(tree_leaves(result), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def state_of(step: AdversarialStep) -> list[Tensor]:
    """Returns all tensors that a step changes: weights, buffers and moments."""
    networks = [*step.generator.state_dict().values(), *step.discriminator.state_dict().values()]
    remembered = [part.state_dict().values() for part in (step.augmentation, step.regularizer)]
    optimizers = step.generator_optimizer, step.discriminator_optimizer
    moments = [value for each in optimizers for state in each.state.values() for value in state.values()]
    return [*networks, *chain.from_iterable(remembered), *moments]


def on_tape(step: AdversarialStep, recordings: list[Tape] | None = None) -> Record:
    """Returns the function that records a step as `CudaGraphs` does: without a trace of having run.

    Tapes are appended to ``recordings``.
    """

    def record(body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        state, tape = state_of(step), Tape()
        before, random = [value.clone() for value in state], torch.get_rng_state()
        with tape:
            result = body()
        for value, old in zip(state, before, strict=True):
            value.detach().copy_(old)
        torch.set_rng_state(random)
        result.detach().fill_(float("nan"))
        if recordings is not None:
            recordings.append(tape)
        return result, tape.replay

    return record
