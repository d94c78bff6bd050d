import os
import pty
import re

import pytest
from tqdm import tqdm

from fmcgan.callback.progress import FEWEST_CELLS, Progress, bar_layout
from tests.screen import screen, set_columns, written_to

BAR = re.compile(r"epoch \d/3 +(\d+)% \|([^|]*)\| (.*)")


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


@pytest.mark.parametrize("columns", [40, 80, 100, 160])
def test_the_bar_has_room_beside_as_many_values_as_fit(columns):
    values = ["12:34 left", "1,234 images/s", "fd_classifier 1.234", "G 0.700, D 1.300", "{x} 0.91"]
    layout = bar_layout("epoch 12/30 ", values, columns)
    line = tqdm.format_meter(370, 1000, 1, ncols=columns, bar_format=layout)
    bar, text = line.split("|")[1:]
    assert len(line) == columns
    assert len(bar) >= FEWEST_CELLS
    assert text.strip() == ", ".join(values[: {40: 1, 80: 3, 100: 4, 160: 5}[columns]])


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_bar_and_log_lines_share_a_terminal(start, columns):
    terminal, inside = pty.openpty()
    set_columns(terminal, columns)
    few = ["experiment=smoke", "trainer.max_epochs=3", "trainer.limit_train_batches=3", "metric=[sliced_wasserstein]"]
    process = start("train", *few, "hydra.run.dir=run", streams=[inside] * 3, terminal=True)
    os.close(inside)
    text = written_to(terminal)
    assert process.wait(timeout=60) == 0
    os.close(terminal)
    seen = screen(text, columns)
    whole = "\n".join(seen)
    for epoch in (1, 2, 3):
        (row,) = (row for row, line in enumerate(seen) if line.startswith(f"epoch {epoch}: "))
        assert "|" not in "".join(seen[row : row + 2]).partition("epoch 3/3")[0]
    (bar,) = (line for line in seen if "|" in line)  # the last one, below the lines of all epochs
    assert whole.index("epoch 3: ") < whole.index(bar) < whole.index("done: ")
    done, cells, values = BAR.fullmatch(bar).groups()
    assert (done, cells.strip("█")) == ("100", "")
    assert len(cells) >= FEWEST_CELLS
    name = "sliced_was.." if columns == 80 else "sliced_wasserstein_pixels"
    assert re.match(rf"00:00 left, [\d,]+ images/s, {name} [\d.]+", values)
    assert ("G " in values) == (columns == 160)
    drawn = [part for part in re.split(r"[\r\n]", text) if BAR.match(part)]
    assert drawn
    assert all(len(part) <= columns for part in drawn)
