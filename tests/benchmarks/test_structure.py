import pytest

from benchmarks import structure

SOURCE = '''
from typing import Any

def f(x: Any, y: "dict[str, Any]", *rest: int) -> list[Any]:  # type: ignore[misc]
    """Any."""
    z: Any = 1
    return [Any, "type: ignore"]
'''


def test_counts_of_a_small_package(tmp_path):
    (tmp_path / "module.py").write_text(SOURCE, encoding="utf-8")
    assert structure.count_lines(tmp_path) == 7
    assert structure.count_any(tmp_path) == 4
    assert structure.count_type_ignores(tmp_path) == 1


def test_a_distance_touches_files_of_this_package_only():
    files = structure.files_of_frechet_distance()
    assert "metric/frechet.py" in files
    assert all((structure.PACKAGE / file).is_file() for file in files)


@pytest.mark.train
def test_batches_are_watched_one_by_one():
    batches = structure.files_of_batches()
    assert len(batches) == structure.RECORDED
    assert all({"training/step.py", "network/dcgan.py"} <= batch for batch in batches)
    assert any("loss/non_saturating.py" in batch for batch in batches)
