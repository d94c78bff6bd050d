"""A training step as CUDA graphs: one launch instead of hundreds."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from fmcgan.training.step import AdversarialStep, Metrics

log = logging.getLogger(__name__)

Inputs = tuple[Any, ...]  # tensors, or None for those that are left out
Record = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]

_WARM_UP = 3  # eager steps before a capture: optimizers make their state, libraries choose their kernels
_MOST = 16  # graphs kept; whoever asks for more goes on without


class CapturedStep:
    """Takes the steps of an `AdversarialStep` by replaying recorded kernels.

    A small GAN's step is some 300 kernels of a few microseconds, which a GPU finishes faster than Python can launch
    them. A graph launches them all at once. Everything the host decides is in the key of a graph: the shapes and the
    two booleans of the step. Inputs are copied to where the graph reads them. The numbers are those of the step itself:
    random ones are drawn outside, or follow from the device's seed, which replaying reads.

    Learning rates and betas are numbers that a graph holds as they were. A rate that moves is therefore put on the
    device, where every replay reads it; outside the step the optimizers hold plain numbers all the same. When another
    one changes, the graphs are dropped, and made again where it stands still: a fused Adam takes betas from the host
    only, and to record one for each small change of them would cost more than the replays would save.

    Where recording fails the step goes on as it is, with one warning.

    Args:
        step: what to take.
        record: records a computation without running it; returns where its result will lie and what runs it again.
        moving_rates: the optimizers whose learning rate changes as training goes on.
    """

    def __init__(self, step: AdversarialStep, record: Record, moving_rates: Sequence[Optimizer] = ()) -> None:
        self.step = step
        self.record = record
        self._graphs: dict[Any, _Graph] = {}
        self._seen: Counter[Any] = Counter()
        self._possible = True
        for group in self._parameter_groups():
            if "capturable" in group:
                group["capturable"] = True
        for optimizer in (step.generator_optimizer, step.discriminator_optimizer):
            for parameter, state in optimizer.state.items():
                if "step" in state:  # the count of updates; of a run that began on a CPU it still lies there
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32, device=parameter.device)
        moving = [group for each in moving_rates for group in each.param_groups if "capturable" in group]
        self._rates = [(group, torch.zeros((), device=group["params"][0].device)) for group in moving]
        self._held: Any = None
        self._warned = False
        on_gpu = next(step.generator.parameters()).is_cuda
        self._side = torch.cuda.Stream() if on_gpu else None

    def __call__(self, *inputs: Tensor | None, **decisions: bool) -> Metrics:
        """Takes one step; arguments and result are those of `AdversarialStep`."""
        with self._rates_on_device():
            self._drop_outdated()
            return self._take(inputs, decisions)

    @contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """For one step, optimizers read the rates that move from the device; filling them in waits for nothing."""
        values = [group["lr"] for group, _ in self._rates]
        for (group, on_device), value in zip(self._rates, values, strict=True):
            group["lr"] = on_device.fill_(value)
        try:
            yield
        finally:
            for (group, _), value in zip(self._rates, values, strict=True):
                group["lr"] = value

    def _drop_outdated(self) -> None:
        rates = [None if isinstance(group["lr"], Tensor) else group["lr"] for group in self._parameter_groups()]
        held = rates, [group.get("betas") for group in self._parameter_groups()]
        if self._held not in (None, held):
            self._graphs.clear()
            self._seen.clear()
            if self._possible and not self._warned:
                what = "a learning rate" if self._held[0] != rates else "a beta"
                log.warning(
                    "%s moves, which a CUDA graph cannot follow; meanwhile the step goes on kernel by kernel", what
                )
            self._warned = True
        self._held = held

    def _take(self, inputs: Inputs, decisions: dict[str, Any]) -> Metrics:
        key = (*(None if tensor is None else tensor.shape for tensor in inputs), *sorted(decisions.items()))
        if key not in self._graphs and self._seen[key] >= _WARM_UP and self._possible:
            self._try_to_record(key, inputs, decisions)
        if key in self._graphs:
            return self._graphs[key](inputs)
        self._seen[key] += 1
        return self._on_side_stream(inputs, decisions)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        return [*self.step.generator_optimizer.param_groups, *self.step.discriminator_optimizer.param_groups]

    def _try_to_record(self, key: Any, inputs: Inputs, decisions: dict[str, Any]) -> None:
        try:
            self._graphs[key] = _Graph(self.step, self.record, inputs, decisions)
        except RuntimeError as error:
            self._possible = False
            reason = str(error.__context__ or error).partition("\n")[0]  # leaving a broken capture fails too
            log.warning("the step cannot be captured in a CUDA graph (%s); it goes on kernel by kernel", reason)
        self._possible &= len(self._graphs) < _MOST

    def _on_side_stream(self, inputs: Inputs, decisions: dict[str, Any]) -> Metrics:
        """What is captured later must not have run on the default stream before (torch's notes on CUDA graphs)."""
        if self._side is None or not self._possible:
            return self.step(*inputs, **decisions)
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):
            metrics = self.step(*inputs, **decisions)
        torch.cuda.current_stream().wait_stream(self._side)
        return metrics


class _Graph:
    """One recording: the inputs it reads, the scalars it writes, and how to run it."""

    def __init__(self, step: AdversarialStep, record: Record, inputs: Inputs, decisions: dict[str, Any]) -> None:
        own: list[Any] = [None if tensor is None else tensor.clone() for tensor in inputs]
        self.inputs = _given(own)
        self.names: list[str] = []

        def body() -> Tensor:
            metrics = step(*own, **decisions)
            self.names = list(metrics)
            return torch.stack([value.float() for value in metrics.values()])

        self.scalars, self.replay = record(body)

    def __call__(self, inputs: Inputs) -> Metrics:
        torch._foreach_copy_(self.inputs, _given(inputs))
        self.replay()
        # A copy: the next replay writes over the scalars, and they are only read some steps later.
        return dict(zip(self.names, self.scalars.clone().unbind(), strict=True))


def _given(inputs: Iterable[Any]) -> list[Tensor]:
    return [tensor for tensor in inputs if tensor is not None]


def cuda_graph(body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Records a computation as a CUDA graph.

    Raises:
        RuntimeError: something in it cannot be captured.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = body()
    return result, graph.replay
