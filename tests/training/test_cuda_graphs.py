"""The recording is made by torch's own dispatcher here, see `benchmarks.gpu_check.tape`."""

import gc
import logging
from contextlib import contextmanager

import pytest
import torch

from benchmarks.gpu_check.tape import on_tape, state_of
from fmcgan.app.errors import UserError
from fmcgan.schedule.cosine import Cosine
from fmcgan.schedule.linear import Linear
from fmcgan.training import cuda_graphs
from fmcgan.training.cuda_graphs import CapturedStep, CudaGraphs
from fmcgan.training.schedules import Schedules


def take_steps(step, count, make_inputs, bf16):
    metrics = []
    for number in range(count):
        torch.manual_seed(number)  # of dropout
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            turn = {"with_generator": number % 3 != 0, "with_penalty": number % 2 == 0}
            metrics.append(step(*make_inputs(seed=number), **turn))
    return metrics


def replay_and_compare(make, make_inputs, bf16, count=30):
    """The same steps by Python and with replays; returns what was replayed and its metrics."""
    eager, step, recordings = make(), make(), []
    captured = CapturedStep(step, on_tape(step, recordings))
    expected = take_steps(eager, count, make_inputs, bf16)
    metrics = take_steps(captured, count, make_inputs, bf16)
    assert len(recordings) == 4  # the four combinations of the two decisions
    assert_same(eager, step)
    for one, two in zip(expected, metrics, strict=True):  # also those read many replays later
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name].float(), two[name]) for name in one)
    return step, metrics


@pytest.mark.train
@pytest.mark.parametrize(("network", "bf16"), [("dcgan", False), ("dcgan", True), ("conv", True), ("mlp", False)])
def test_replayed_steps_are_those_of_python_to_the_bit(make_step, make_inputs, network, bf16):
    replay_and_compare(lambda: make_step(network, clip=1.0), make_inputs, bf16)


@pytest.mark.train
@pytest.mark.parametrize(("network", "bf16"), [("dcgan", False), ("resnet", True), ("r3", False)])
def test_replays_of_the_whole_zoo_are_those_of_python_to_the_bit(make_zoo, make_inputs, network, bf16):
    """Power iterations, random changes and what augmentations and regularisers remember go on in a replay too."""
    step, metrics = replay_and_compare(lambda: make_zoo(network), make_inputs, bf16, count=24)
    assert all(value.isfinite() for each in metrics for value in each.values())
    terms = [each["loss/regularizer"].item() for each in metrics]
    inactive = 0 if network == "resnet" else step.regularizer.start  # LeCam's lies among the replays
    assert terms[:inactive] == [0] * inactive
    assert min(terms[inactive:]) > 0
    if network == "dcgan":
        assert 0 < step.augmentation.p.item() < 24 * 0.04  # it rose and fell


def test_a_batch_of_another_size_and_another_learning_rate_are_not_replayed(make_step, make_inputs):
    step, recordings = make_step(), []
    captured = CapturedStep(step, on_tape(step, recordings))
    for _ in range(4):
        captured(*make_inputs())
    assert len(recordings) == 1
    captured(*make_inputs(n=4))
    before = [weight.detach().clone() for weight in step.discriminator.parameters()]
    step.discriminator_optimizer.param_groups[0]["lr"] = 0.0
    captured(*make_inputs())
    assert all(torch.equal(*pair) for pair in zip(step.discriminator.parameters(), before, strict=True))
    assert len(recordings) == 1


def take_scheduled_steps(step, run, count, make_inputs, schedules):
    """As the GAN does; the clock is the number of the step."""
    optimizers, metrics = [step.generator_optimizer, step.discriminator_optimizer], []
    for number in range(count):
        schedules.set_rates(optimizers, number)
        factor = schedules.penalty_factor(number, torch.device("cpu"))
        metrics.append(run(*make_inputs(seed=number), factor, with_penalty=number % 2 == 0))
    return metrics


def assert_same(one, two):
    for value, other in zip(state_of(one), state_of(two), strict=True):
        assert torch.equal(value, other)


@pytest.mark.train
@pytest.mark.parametrize("knobs", [("generator_lr", "discriminator_lr"), ("penalty_weight",)])
def test_one_graph_serves_all_rates_and_weights_of_a_schedule(make_step, make_inputs, knobs):
    schedules = Schedules(**{knob: Cosine(1.0, 0.1, start_images=0, end_images=20) for knob in knobs})
    eager, step, still, recordings = make_step(), make_step(), make_step(), []
    moving = schedules.moving_rates([step.generator_optimizer, step.discriminator_optimizer])
    captured = CapturedStep(step, on_tape(step, recordings), moving)
    expected = take_scheduled_steps(eager, eager, 25, make_inputs, schedules)
    metrics = take_scheduled_steps(step, captured, 25, make_inputs, schedules)
    assert len(recordings) == 2  # with and without the penalty, while a rate or weight was another one each time
    assert_same(eager, step)
    assert all(
        torch.equal(one[name].float(), two[name]) for one, two in zip(expected, metrics, strict=True) for name in one
    )
    take_scheduled_steps(still, still, 25, make_inputs, Schedules())
    assert any(not torch.equal(*pair) for pair in zip(state_of(still), state_of(step), strict=True))


def test_outside_a_captured_step_rates_are_plain_numbers(make_step, make_inputs):
    """Recorders and checkpoints read them."""
    step = make_step()
    optimizers = [step.generator_optimizer, step.discriminator_optimizer]
    schedules = Schedules(discriminator_lr=Linear(1.0, 0.0, start_images=0, end_images=8))
    captured = CapturedStep(step, on_tape(step, []), schedules.moving_rates(optimizers))
    take_scheduled_steps(step, captured, 7, make_inputs, schedules)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    assert rates == [1e-3, pytest.approx(0.25e-3)]
    assert all(type(rate) is float for rate in rates)


@pytest.mark.train
def test_betas_that_move_wait_with_the_graph_until_they_stand_still(make_step, make_inputs, caplog):
    schedules = Schedules(beta2=Linear(0.9, 0.99, start_images=12, end_images=24))
    eager, step, recordings, counts = make_step(), make_step(), [], []
    captured = CapturedStep(step, on_tape(step, recordings))

    def counting(*inputs, **decisions):
        metrics = captured(*inputs, **decisions)
        counts.append((len(recordings), len(captured.graphs)))
        return metrics

    with caplog.at_level(logging.WARNING):
        take_scheduled_steps(step, counting, 36, make_inputs, schedules)
    take_scheduled_steps(eager, eager, 36, make_inputs, schedules)
    assert counts[12] == (2, 2)
    assert set(counts[13:25]) == {(2, 0)}
    assert counts[-1] == (4, 2)
    assert_same(eager, step)
    (record,) = caplog.records
    assert "a beta" in record.getMessage()


def fail(body):
    body()
    raise RuntimeError("operation not permitted when stream is capturing\nand more")


def test_where_recording_fails_the_step_goes_on(make_step, make_inputs, caplog, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "torch_release", lambda: (2, 15))
    captured = CapturedStep(make_step(), fail)
    with caplog.at_level(logging.INFO):
        metrics = [captured(*make_inputs()) for _ in range(6)]
    (record,) = caplog.records
    assert record.getMessage().startswith("CUDA graphs: no, ")
    assert "(operation not permitted when stream is capturing)" in record.getMessage()
    assert all(torch.isfinite(each["loss/generator"]) for each in metrics)


def test_where_torch_cannot_go_on_after_that_the_run_ends_with_what_to_do(make_step, make_inputs, monkeypatch):
    monkeypatch.setattr(cuda_graphs, "torch_release", lambda: (2, 14))
    captured = CapturedStep(make_step(), fail)
    with pytest.raises(UserError, match=r"when stream is capturing\), .*training\.cuda_graphs=false") as error:
        [captured(*make_inputs()) for _ in range(4)]
    assert "\n" not in str(error.value)


def test_one_line_says_that_steps_are_replayed(make_step, make_inputs, caplog):
    step = make_step()
    captured = CapturedStep(step, on_tape(step))
    with caplog.at_level(logging.INFO):
        for number in range(10):
            captured(*make_inputs(), with_penalty=number % 2 == 0)
    assert [record.getMessage() for record in caplog.records] == ["CUDA graphs: yes, the training step is replayed"]
    assert len(captured.graphs) == 2


class Stream:
    """Streams of a GPU: recording has its own, which a capture that cannot be ended does not leave."""

    current = "main"

    def __init__(self, monkeypatch):
        self.pools, self.fails = [], False
        for name in ("CUDAGraph", "graph", "set_stream", "current_stream"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    class CUDAGraph:
        def pool(self):
            return f"pool of {id(self)}"

        def replay(self):
            pass

    @contextmanager
    def graph(self, graph, pool=None):
        self.pools.append(pool)
        self.current = "capture"
        yield
        if self.fails:
            raise RuntimeError("capture failed")
        self.current = "main"

    def set_stream(self, stream):
        self.current = stream

    def current_stream(self):
        return self.current


def test_graphs_share_a_pool_of_memory_as_long_as_one_of_them_lives(monkeypatch):
    streams, record = Stream(monkeypatch), CudaGraphs()
    kept = [record(lambda: torch.ones(1))[1] for _ in range(3)]
    assert streams.pools[0] is None
    assert set(streams.pools[1:]) <= {graph.__self__.pool() for graph in kept}
    kept.clear()
    gc.collect()
    record(lambda: torch.ones(1))
    assert streams.pools[3] is None


def test_a_capture_that_fails_leaves_its_stream_and_lends_no_pool(monkeypatch):
    streams, record = Stream(monkeypatch), CudaGraphs()
    streams.fails = True
    with pytest.raises(RuntimeError, match="capture failed"):
        record(lambda: torch.ones(1))
    assert streams.current == "main"
    streams.fails = False
    record(lambda: torch.ones(1))
    assert streams.pools == [None, None]


def test_optimizers_count_on_the_device(make_step):
    step = make_step()
    CapturedStep(step, CudaGraphs())
    assert step.generator_optimizer.param_groups[0]["capturable"]
    assert step.discriminator_optimizer.param_groups[0]["capturable"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("network", ["dcgan", "conv", "mlp"])
def test_on_a_gpu_graphs_give_what_the_step_gives(make_step, make_inputs, network):
    def on_gpu(captured):
        step = make_step(network)
        for player in (step.generator, step.discriminator):
            player.cuda()
        run = CapturedStep(step, CudaGraphs()) if captured else step
        losses = []
        for number in range(20):
            torch.cuda.manual_seed(number)
            inputs = [each.cuda() for each in make_inputs(seed=number)]
            torch.cuda.set_sync_debug_mode("error" if number > 4 else "default")  # the first ones choose kernels
            losses.append(run(*inputs, with_penalty=number % 2 == 0))
            torch.cuda.set_sync_debug_mode("default")
        assert not captured or len(run.graphs) == 2
        return torch.tensor([each["loss/generator"].item() for each in losses])

    assert torch.allclose(on_gpu(captured=True), on_gpu(captured=False), rtol=1e-3)


def test_counts_of_a_run_that_began_elsewhere_go_to_the_weights(make_step, make_inputs):
    step = make_step()
    step(*make_inputs())
    weight = next(step.generator.parameters())
    step.generator_optimizer.state[weight]["step"] = 1  # a plain number, as some optimizers of before had it
    CapturedStep(step, CudaGraphs())
    count = step.generator_optimizer.state[weight]["step"]
    assert (count.item(), count.dtype, count.device) == (1.0, torch.float32, weight.device)
