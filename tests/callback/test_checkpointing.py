import signal

import pytest
from lightning import Callback

from fmcgan.app import workers
from fmcgan.app.errors import Interrupted

SHORT = ("trainer.max_epochs=1", "trainer.limit_train_batches=3")
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


@pytest.fixture
def received():
    """The signals that reached handlers from outside, as those of a launcher."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    received = []
    for number in NUMBERS:
        signal.signal(number, lambda number, frame: received.append(number))
    yield received
    for number, handler in before.items():
        signal.signal(number, handler)


class Preempted(Callback):
    """A signal of a scheduler in the middle of the first epoch."""

    def on_train_batch_end(self, trainer, gan, outputs, batch, batch_idx):
        signal.raise_signal(signal.SIGUSR2)


def test_training_leaves_the_signal_handlers_as_they_were(fit, received):
    fit(*SHORT)
    for number in NUMBERS:
        signal.raise_signal(number)
    assert received == list(NUMBERS)


def test_a_preempted_job_is_saved_and_handed_back_to_its_launcher(fit, received, tmp_path):
    with pytest.raises(Interrupted) as stop:
        fit(*SHORT, extra_callbacks=[Preempted()])
    assert received == []  # saved first
    assert stop.value.signal_number == signal.SIGUSR2
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    workers.requeue()
    assert received == [signal.SIGUSR2]
