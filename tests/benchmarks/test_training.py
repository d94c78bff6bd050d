import time
from types import SimpleNamespace

from benchmarks.training import LIKE_FOR_LIKE, InterleavedTiming, measure


def test_a_row_for_each_case_with_its_ratios(tiny):
    rows = measure(tiny(precisions=("bf16-mixed",)))
    cases = [(row["network"], row["loss"], row["precision"]) for row in rows]
    assert cases == [("dcgan", loss, "bf16-mixed") for loss in ("non_saturating_r1", LIKE_FOR_LIKE, "wgan_gp")]
    for row in rows:
        assert row["ours images/s"]["n"] >= 3
        assert row["ours / ordinary"]["median"] > 0
        assert row["ours / bare"]["median"] > 0


def test_a_block_holds_everything_but_the_other_loops(tiny, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def slow(seconds):
        return lambda: now.__setitem__(0, now[0] + seconds)

    others = {"bare": slow(40), "ordinary": slow(100)}
    turns, trainer = InterleavedTiming(others, tiny()), SimpleNamespace(should_stop=False)
    turns.on_train_start(trainer, None)
    for _ in range(2):  # epochs, of 9 batches: the ninth is in no block
        now[0] += 1000  # what happens between two epochs
        turns.on_train_epoch_start(trainer, None)
        for batch in range(9):
            now[0] += 1
            turns.on_train_batch_end(trainer, None, None, None, batch)
    assert turns.seconds == {"ours": [4] * 4, "bare": [40] * 4, "ordinary": [100] * 4}
    assert trainer.should_stop
