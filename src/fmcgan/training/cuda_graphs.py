"""CUDA graphs of the training step: one launch instead of hundreds."""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from weakref import WeakSet

import torch
from torch import Tensor
from torch.optim import Optimizer

from fmcgan.app.device import torch_release
from fmcgan.app.errors import UserError
from fmcgan.training.step import AdversarialStep, Metrics

log = logging.getLogger(__name__)

Inputs = tuple[Tensor | None, ...]
Decisions = dict[str, bool]
Record = Callable[[Callable[[], Tensor]], tuple[Tensor, Callable[[], None]]]

_WARM_UP = 3  # eager steps before a capture: optimizers create their state, libraries choose their kernels
_MAX_GRAPHS = 16  # further combinations of shapes and flags run without
_RECOVERS = (2, 15)  # first torch that can compute after a failed capture: older ones leave its random state and memory


class CapturedStep:
    """Replays an `AdversarialStep` as CUDA graphs.

    A step of a small GAN is some 300 kernels of a few microseconds, which a GPU runs faster than Python launches. A
    graph launches them all at once. There is one graph for each combination of input shapes and of the two booleans of
    the step. Inputs are copied to the graph's own tensors. The results equal those of the step: random numbers are
    drawn outside, or follow from the device's seed, which a replay reads.

    A graph contains learning rates and betas as constants. A learning rate that changes is therefore stored on the
    device, where every replay reads it; outside the step the optimizers hold plain numbers. When another value changes,
    the graphs are dropped, and recorded again when it is constant: a fused Adam takes betas from the host only, and
    recording a graph at each change would cost more than the replays save. One line in the log says whether the step
    is replayed. If recording fails, it runs without graphs after a warning; before torch 2.15, the run ends instead.

    Args:
        step: the step.
        record: records a computation without running it; returns its result tensor and the function that replays it.
        moving_rates: the optimizers whose learning rate changes during training.

    Attributes:
        graphs: the recorded graphs, by input shapes and booleans.
    """

    def __init__(self, step: AdversarialStep, record: Record, moving_rates: Sequence[Optimizer] = ()) -> None:
        self.step: Callable[..., Metrics] = step
        self.record = record
        self.graphs: dict[Hashable, Graph] = {}
        self._seen: Counter[Hashable] = Counter()
        self._possible = True
        optimizers = (step.generator_optimizer, step.discriminator_optimizer)
        self._groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group in self._groups:
            if "capturable" in group:
                group["capturable"] = True
        for optimizer in optimizers:
            for parameter, state in optimizer.state.items():
                if "step" in state:  # the count of updates, on the CPU if the run began there
                    state["step"] = torch.as_tensor(state["step"], dtype=torch.float32, device=parameter.device)
        moving = [group for each in moving_rates for group in each.param_groups if "capturable" in group]
        self._rates = [(group, torch.zeros((), device=group["params"][0].device)) for group in moving]
        self._constants: tuple[list[object], list[object]] | None = None
        self._warned = self._told = False
        on_gpu = next(step.generator.parameters()).is_cuda
        self._side_stream = torch.cuda.Stream() if on_gpu else None

    def __call__(self, *inputs: Tensor | None, **decisions: bool) -> Metrics:
        """Takes one step; arguments and result are those of `AdversarialStep`."""
        values = [group["lr"] for group, _ in self._rates]
        for (group, on_device), value in zip(self._rates, values, strict=True):
            group["lr"] = on_device.fill_(value)  # does not synchronise
        try:
            self._drop_outdated()
            return self._take(inputs, decisions)
        finally:
            for (group, _), value in zip(self._rates, values, strict=True):
                group["lr"] = value

    def _drop_outdated(self) -> None:
        rates = [None if isinstance(group["lr"], Tensor) else group["lr"] for group in self._groups]
        constants = rates, [group.get("betas") for group in self._groups]
        if self._constants is not None and self._constants != constants:
            self.graphs.clear()
            self._seen.clear()
            if self._possible and not self._warned:
                what = "a learning rate" if self._constants[0] != rates else "a beta"
                log.warning("%s changes, which a CUDA graph cannot follow: no CUDA graphs until it is constant", what)
            self._warned = True
        self._constants = constants

    def _take(self, inputs: Inputs, decisions: Decisions) -> Metrics:
        key = (*(None if tensor is None else tensor.shape for tensor in inputs), *sorted(decisions.items()))
        if key not in self.graphs and self._seen[key] >= _WARM_UP and self._possible:
            self._try_to_record(key, inputs, decisions)
        if key in self.graphs:
            return self.graphs[key](inputs)
        self._seen[key] += 1
        return self._on_side_stream(inputs, decisions)

    def _try_to_record(self, key: Hashable, inputs: Inputs, decisions: Decisions) -> None:
        try:
            self.graphs[key] = Graph(self.step, self.record, inputs, decisions)
        except RuntimeError as error:
            self._possible = False
            reason = str(error.__context__ or error).partition("\n")[0]  # leaving a broken capture fails too
            if torch_release() < _RECOVERS:
                raise UserError(
                    f"the step cannot be captured in a CUDA graph ({reason}), after which torch {torch.__version__} "
                    "cannot go on; set training.cuda_graphs=false, or install torch 2.15 or newer"
                ) from error
            log.warning("CUDA graphs: no, the step cannot be captured (%s); training runs without", reason)
            return
        if not self._told:
            log.info("CUDA graphs: yes, the training step is replayed")
            self._told = True
        self._possible &= len(self.graphs) < _MAX_GRAPHS

    def _on_side_stream(self, inputs: Inputs, decisions: Decisions) -> Metrics:
        """Takes an eager step; steps before a capture must not run on the default stream (torch's CUDA notes)."""
        if self._side_stream is None or not self._possible:
            return self.step(*inputs, **decisions)
        self._side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side_stream):
            metrics = self.step(*inputs, **decisions)
        torch.cuda.current_stream().wait_stream(self._side_stream)
        return metrics


class Graph:
    """A recorded step with its input tensors and result scalars."""

    def __init__(self, step: Callable[..., Metrics], record: Record, inputs: Inputs, decisions: Decisions) -> None:
        own = [None if tensor is None else tensor.clone() for tensor in inputs]
        self.inputs = [tensor for tensor in own if tensor is not None]
        self.names: list[str] = []

        def body() -> Tensor:
            metrics = step(*own, **decisions)
            self.names = list(metrics)
            return torch.stack([value.float() for value in metrics.values()])

        self.scalars, self.replay = record(body)

    def __call__(self, inputs: Inputs) -> Metrics:
        """Replays the step on other inputs; returns its scalars."""
        torch._foreach_copy_(self.inputs, [tensor for tensor in inputs if tensor is not None])
        self.replay()
        # A copy, since the next replay overwrites the scalars before they are read.
        return dict(zip(self.names, self.scalars.clone().unbind(), strict=True))


class CudaGraphs:
    """Records computations as CUDA graphs, which share one pool of memory.

    Sharing is safe because graphs never run at the same time, and none reads memory of the pool before it writes it:
    weights, moments and inputs were made outside. A call raises `RuntimeError` if an operation cannot be captured.
    """

    def __init__(self) -> None:
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, body: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Records a computation; returns its result tensor and the function that replays it."""
        pool = next((graph.pool() for graph in self._graphs), None)  # the pool ends with its last graph
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            with torch.cuda.graph(graph, pool=pool):
                result = body()
        finally:
            torch.cuda.set_stream(stream)  # a capture that cannot be ended leaves its own stream
        self._graphs.add(graph)
        return result, graph.replay
