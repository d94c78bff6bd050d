import re

from fmcgan.callback.progress import Progress


def lines(fit, capsys, *overrides):
    fit("trainer.limit_train_batches=10", *overrides, extra_callbacks=[Progress(seconds_between_lines=0)])
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]


def test_plain_lines_without_a_terminal(fit, capsys):
    printed = lines(fit, capsys, "trainer.max_epochs=2")
    assert len(printed) == 20
    pattern = r"epoch 2  480/640 images  G -?\d+\.\d{3}, D -?\d+\.\d{3}, [\d,]+ images/s, \d\d:\d\d left"
    assert re.fullmatch(pattern, printed[14])
    assert "00:00 left" in printed[-1]


def test_time_left_where_only_time_limits_the_run(fit, capsys):
    printed = lines(fit, capsys, "trainer.max_epochs=-1", "trainer.max_time=00:00:00:02")
    left = [re.search(r"00:0(\d) left", line).group(1) for line in printed]
    assert set(left) <= {"0", "1", "2"}
    assert left == sorted(left, reverse=True)
