"""A training step as CUDA graphs: one launch instead of hundreds."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fmcgan.training.step import AdversarialStep, Metrics

log = logging.getLogger(__name__)

Record = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]

_WARM_UP = 3  # eager steps before a capture: optimizers make their state, libraries choose their kernels
_MOST = 16  # graphs kept; whoever asks for more, such as by a learning rate of its own each step, goes on without


class CapturedStep:
    """Takes the steps of an `AdversarialStep` by replaying recorded kernels.

    A small GAN's step is some 300 kernels of a few microseconds, which a GPU finishes faster than Python can launch
    them. A graph launches them all at once. Everything the host decides is in the key of a graph: the shapes, the two
    booleans of the step and the learning rates. Inputs are copied to where the graph reads them. The numbers are those
    of the step itself: random ones are drawn outside, or follow from the device's seed, which replaying reads.

    Where recording fails the step goes on as it is, with one warning.

    Args:
        step: what to take.
        record: records a computation without running it; returns where its result will lie and what runs it again.
    """

    def __init__(self, step: AdversarialStep, record: Record) -> None:
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
        on_gpu = next(step.generator.parameters()).is_cuda
        self._side = torch.cuda.Stream() if on_gpu else None

    def __call__(self, *inputs: Tensor, **decisions: bool) -> Metrics:
        """Takes one step; arguments and result are those of `AdversarialStep`."""
        rates = tuple(group["lr"] for group in self._parameter_groups())
        key = (*(tensor.shape for tensor in inputs), *sorted(decisions.items()), rates)
        if key not in self._graphs and self._seen[key] >= _WARM_UP and self._possible:
            self._try_to_record(key, inputs, decisions)
        if key in self._graphs:
            return self._graphs[key](inputs)
        self._seen[key] += 1
        return self._on_side_stream(inputs, decisions)

    def _parameter_groups(self) -> list[dict[str, Any]]:
        return [*self.step.generator_optimizer.param_groups, *self.step.discriminator_optimizer.param_groups]

    def _try_to_record(self, key: Any, inputs: tuple[Tensor, ...], decisions: dict[str, Any]) -> None:
        try:
            self._graphs[key] = _Graph(self.step, self.record, inputs, decisions)
        except RuntimeError as error:
            self._possible = False
            reason = str(error.__context__ or error).partition("\n")[0]  # leaving a broken capture fails too
            log.warning("the step cannot be captured in a CUDA graph (%s); it goes on kernel by kernel", reason)
        self._possible &= len(self._graphs) < _MOST

    def _on_side_stream(self, inputs: tuple[Tensor, ...], decisions: dict[str, Any]) -> Metrics:
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

    def __init__(
        self, step: AdversarialStep, record: Record, inputs: tuple[Tensor, ...], decisions: dict[str, Any]
    ) -> None:
        self.inputs = [tensor.clone() for tensor in inputs]
        self.names: list[str] = []

        def body() -> Tensor:
            metrics = step(*self.inputs, **decisions)
            self.names = list(metrics)
            return torch.stack([value.float() for value in metrics.values()])

        self.scalars, self.replay = record(body)

    def __call__(self, inputs: tuple[Tensor, ...]) -> Metrics:
        torch._foreach_copy_(self.inputs, list(inputs))
        self.replay()
        # A copy: the next replay writes over the scalars, and they are only read some steps later.
        return dict(zip(self.names, self.scalars.clone().unbind(), strict=True))


def cuda_graph(body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Records a computation as a CUDA graph.

    Raises:
        RuntimeError: something in it cannot be captured.
    """
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = body()
    return result, graph.replay
