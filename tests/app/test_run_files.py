"""The files of a run: what is whole is read, what is damaged ends in one line that names the file."""

import json
import math
import os
import random
import time

import pytest
import yaml

from fmcgan.analysis.alarms.run_facts import read_facts, read_rows
from fmcgan.analysis.training import epoch_table
from fmcgan.app import run_files
from fmcgan.app.errors import UserError
from fmcgan.app.run_dir import HYDRA_OVERRIDES
from fmcgan.app.untrusted_data import MAX_VALUES, check_data
from fmcgan.comparison.grouping import compared_overrides
from fmcgan.comparison.results import at_end
from fmcgan.comparison.runs import read_run
from fmcgan.comparison.statistics import protocols
from fmcgan.inference.safetensors_file import provenance
from fmcgan.report.analysis_page import FINDINGS, _earlier_files

pytestmark = pytest.mark.timeout(120)

CASES = 30
"""Of each kind of damage and each file."""

SCORE = {"value": 9.5, "interval": [9.0, 10.0], "floor": 0.5, "rows": {"real": 0.5}, "better": "lower", "n": 500}
SCORE |= {"by_class": [1.0, None], "floor_by_class": None, "score": "frechet", "protocol": "frechet on classifier"}
ROW = {"images_seen": 64, "epoch": 1.0, "seconds": 0.5, "loss/generator": 0.6, "score/fd": 9.5, "floor/fd": 0.5}
VALID = {
    "result.json": {
        **{"status": "finished", "seed": 3, "images_seen": 128, "training_seconds": 1.5, "images_per_second": 85.0},
        **{"hardware": "CPU", "parameters": {"generator": 10}, "scores": {"fd": SCORE}, "command": "fmcgan-train"},
        **{"best": {"images_seen": 64, "scores": {"fd": SCORE}}, "final": {"loss/generator": 0.5}},
    },
    "environment.json": {
        **{"date": "2026-11-29", "command": "c", "python": "3.12", "overrides": ["loss=wgan_gp", "seed=3"]},
        **{"packages": {"torch": "2.15"}, "platform": "Linux", "hardware": "CPU", "precision": "32-true"},
        **{"git": {"commit": "abc", "changed": False}},
    },
    "evaluation.json": {
        **{"images_seen": 128, "weights": "ema", "scores": {"kd": SCORE}, "train_sha256": "a", "test_sha256": "b"},
        **{"seconds_by_score": {"kernel": 0.5}, "findings": {}, "seed": 0},
    },
    "findings.json": {"title": "t", "files": ["samples.png", "maps_umap.svg", "scores_by_class.csv"], "values": {}},
    "config.yaml": {
        **{"seed": 3, "data": {"_target_": "fmcgan.data.synthetic.SyntheticData", "n_train": 20}},
        **{"loss": {"_target_": "fmcgan.loss.hinge.Hinge"}, "trainer": {"max_epochs": 2}},
        **{"training": {"generator_clip": 1.0}, "network": {"generator": {"width": 8}}},
        **{"callback": {"evaluation": {"seed": 1000}, "samples": {}}},
    },
    HYDRA_OVERRIDES: ["loss=wgan_gp", "seed=3", "data.root=/a b"],
    "metrics.jsonl": [ROW, ROW | {"images_seen": 128, "loss/generator": None}],
    "epochs.csv": [{"epoch": 1, "minutes": 0.5}, {"epoch": 2, "minutes": 1.0}],
}


def nested(depth):
    """A list in a list in a list ..."""
    return json.loads("[" * depth + "]" * depth)


def content_of(name, node):
    if name == "metrics.jsonl":
        return "".join(json.dumps(row) + "\n" for row in node).encode()
    if name == "epochs.csv":
        return "".join(",".join(map(str, row)) + "\n" for row in (node[0], *(each.values() for each in node))).encode()
    if name.endswith(".json"):
        return json.dumps(node).encode()
    return yaml.safe_dump(node, sort_keys=False).encode(errors="surrogatepass")


@pytest.fixture
def folder(tmp_path):
    """A run folder in which every file is whole."""
    (tmp_path / ".hydra").mkdir()
    for name, node in VALID.items():
        (tmp_path / name).write_bytes(content_of(name, node))
    return tmp_path


def use(folder):
    """All that commands do with the files of a run folder beside drawing."""
    run = read_run(folder)
    assert run.images_seen >= 0
    assert all(math.isnan(value) or abs(value) < 1e40 for row in run.rows for value in row.values())
    assert [json.dumps(each) for each in (run.evaluations, compared_overrides(run), run.seconds)]
    if run.finished:
        assert protocols([run]).keys() == run.result["scores"].keys()
        assert all(isinstance(value, float) for value in at_end(run).values())
    if run.rows:
        epoch_table(read_rows(folder)[0])
    read_facts(folder)
    about = {"config": run_files.read_config(folder / "config.yaml") or {}, "images_seen": 128, "weights": "ema"}
    json.dumps(provenance(folder, about)).encode()
    assert all((folder / name).parent == folder and (folder / name).is_file() for name in _earlier_files(folder))
    assert all(int(row["epoch"]) > 0 for row in run_files.read_epochs(folder / "epochs.csv"))
    return run


def assert_read_or_refused_in_one_line(folder, name):
    refusals = []
    try:
        use(folder)
    except UserError as error:
        refusals.append(str(error))
    for line in refusals:
        assert str(folder / name) in line
        assert len(line) < 600 + len(str(folder))
        assert "\n" not in line
    return not refusals


def test_a_whole_folder_is_read(folder):
    run = use(folder)
    assert (run.seed, run.images_seen, run.finished, run.overrides) == (3, 128, True, tuple(VALID[HYDRA_OVERRIDES]))
    assert run.result == VALID["result.json"]
    assert run_files.read_metrics(folder / "metrics.jsonl") == VALID["metrics.jsonl"]
    assert run_files.read_environment(folder / "environment.json") == VALID["environment.json"]
    assert run_files.read_config(folder / "config.yaml") == VALID["config.yaml"]


def test_what_is_not_there_is_none_or_empty(tmp_path):
    for name in ("result", "environment", "evaluation", "findings", "config"):
        assert getattr(run_files, f"read_{name}")(tmp_path / "gone") is None
    for name in ("overrides", "metrics", "epochs"):
        assert getattr(run_files, f"read_{name}")(tmp_path / "gone") == []


@pytest.mark.parametrize("name", VALID)
def test_random_bytes_in_a_file(folder, name, damaged_bytes):
    content, rng = (folder / name).read_bytes(), random.Random(name)
    read = 0
    for _ in range(CASES):
        (folder / name).write_bytes(damaged_bytes(content, rng))
        read += assert_read_or_refused_in_one_line(folder, name)
    assert read < CASES or name == FINDINGS  # which is passed over; a changed digit cannot be noticed


@pytest.mark.parametrize("name", VALID)
def test_another_value_in_place_of_one(folder, name, damaged_node):
    rng = random.Random(name)
    read = 0
    for _ in range(CASES):
        node = damaged_node(VALID[name], rng)
        try:
            content = content_of(name, node)
        except (ValueError, RecursionError, AttributeError, IndexError):
            continue  # no such file can be written
        (folder / name).write_bytes(content)
        read += assert_read_or_refused_in_one_line(folder, name)
    assert read < CASES or name == FINDINGS


KINDS = {"null": "null", "text": '"a"', "number": "3", "list": "[]", "nothing": "", "half": "{", "bool": "true"}


@pytest.mark.parametrize("name", [name for name in VALID if name not in (FINDINGS, "epochs.csv", HYDRA_OVERRIDES)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_refused(folder, name, kind):
    (folder / name).write_text(KINDS[kind] + "\n", encoding="utf-8")
    assert not assert_read_or_refused_in_one_line(folder, name)


@pytest.mark.parametrize(
    ("name", "path", "wrong", "told"),
    [
        ("result.json", "scores", [1], "scores: expected mapping, got list"),
        ("result.json", "scores", {"fd": 3}, "scores[...]: expected mapping, got whole number"),
        ("result.json", "scores", {"fd": SCORE | {"value": "9"}}, "scores[...].value: expected number"),
        ("result.json", "scores", {"fd": SCORE | {"better": "up"}}, "scores[...].better: invalid enum value 'up'"),
        ("result.json", "scores", {"x" * 300: SCORE}, "length <= 200"),
        ("result.json", "scores", {str(place): SCORE for place in range(1001)}, "scores: expected mapping of length"),
        ("result.json", "images_seen", -1, "images_seen: expected whole number >= 0"),
        ("result.json", "images_seen", True, "images_seen: expected whole number, got bool"),
        ("environment.json", "overrides", [1], "overrides[0]: expected text, got whole number"),
        ("evaluation.json", "scores", None, "scores: expected mapping, got null"),
        ("config.yaml", "seed", "x", "seed: expected whole number | null, got text"),
        ("config.yaml", "trainer", [1], "trainer: expected mapping | null, got list"),
        ("config.yaml", "note", nested(60), "nested more than 50 levels deep"),
    ],
)
def test_the_field_is_named(folder, name, path, wrong, told):
    (folder / name).write_bytes(content_of(name, VALID[name] | {path: wrong}))
    with pytest.raises(UserError) as caught:
        use(folder)
    assert str(folder / name) in str(caught.value)
    assert told in str(caught.value)


def test_keys_of_other_versions_are_allowed(folder):
    for name in ("result.json", "environment.json", "evaluation.json", "config.yaml"):
        (folder / name).write_bytes(content_of(name, VALID[name] | {"a key to come": [{"x": 1}]}))
    assert use(folder).finished


def bomb(levels):
    lines = ["a0: &a0 [x, x]"] + [f"a{level}: &a{level} [*a{level - 1}, *a{level - 1}]" for level in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (bomb(60), "line 2: an alias"),
        ("a: &a [*a]", "an alias"),
        ("a: !!python/object/apply:os.system [touch touched]", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: !!timestamp x", "does not fit its tag"),
        ("a: 2026-11-29", "a date, where text"),
        ("[" * 20_000, "nested too deeply"),
        ("a: " + "9" * 5000, "4300 digits"),
        ("1: 2", "a key that is no text"),
        ("a: " + "x" * 1_500_000, "at most 1.0 MB"),
        ("a: 1\n b: 2", "line 2"),
    ],
    ids=range(11),
)
def test_yaml_that_is_no_configuration(folder, text, told, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    start = time.perf_counter()
    with pytest.raises(UserError, match=told):
        use(folder)
    assert time.perf_counter() - start < 20
    assert not (folder / "touched").exists()


ROWS = content_of("metrics.jsonl", VALID["metrics.jsonl"])


@pytest.mark.parametrize("cut", range(1, len(ROWS) // 2 - 5, 7))
def test_a_last_line_cut_short_is_left_out(folder, cut):
    (folder / "metrics.jsonl").write_bytes(ROWS[: -cut - 1])
    assert run_files.read_metrics(folder / "metrics.jsonl") == VALID["metrics.jsonl"][:1]


def test_a_last_epoch_cut_short_is_left_out(folder):
    content = (folder / "epochs.csv").read_bytes()
    for cut in range(1, len(content) - content.rindex(b"\n", 0, -1) - 1):
        (folder / "epochs.csv").write_bytes(content[:-cut])
        assert [row["epoch"] for row in run_files.read_epochs(folder / "epochs.csv")] == ["1"]


@pytest.mark.parametrize(
    "line",
    [
        *("3", "[]", "null", '"a"', "", "{", '{"images_seen": 64}', '{"images_seen": -1, "seconds": 1}', "\0" * 40),
        *('{"images_seen": 64, "seconds": 1, "a": "b"}', '{"images_seen": 64, "seconds": 1, "a": {}}', "[" * 5000),
        *('{"images_seen": 64, "seconds": 1, "a": 1e300}', '{"images_seen": 64, "seconds": 1, "a": ' + "9" * 60 + "}"),
        *('{"images_seen": 64, "seconds": 1, "' + "x" * 300 + '": 1}', '{"images_seen": 64, "seconds": 1, "a": true}'),
        *('{"images_seen": NaN, "seconds": 1}', '{"images_seen": 6.4, "seconds": 1}', "ü"),
    ],
    ids=lambda line: line[:40],
)
def test_a_damaged_line_in_the_middle_is_named(folder, line):
    first, second = ROWS.splitlines(keepends=True)
    (folder / "metrics.jsonl").write_bytes(first + line.encode("latin-1") + b"\n" + second)
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2: .+\. Delete that line"):
        run_files.read_metrics(folder / "metrics.jsonl")


def test_nan_of_old_tables_is_not_known(folder):
    text = '{"images_seen": 64, "seconds": 1, "a": NaN, "b": Infinity, "c": -Infinity, "d": null}\n'
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    row = {"images_seen": 64, "seconds": 1} | dict.fromkeys("abcd")
    assert run_files.read_metrics(folder / "metrics.jsonl") == [row]
    assert math.isnan(read_run(folder).curve("a")[1][0])


@pytest.mark.parametrize("name", VALID)
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "dangling"])
def test_what_is_no_regular_file_is_not_read(folder, name, kind):
    path = folder / name
    path.unlink()
    {
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "dangling": lambda: path.symlink_to("gone"),
    }[kind]()
    if name == FINDINGS:
        assert _earlier_files(folder) == set()
    else:
        assert not assert_read_or_refused_in_one_line(folder, name)


def test_only_files_of_an_analysis_may_be_replaced(tmp_path):
    own = ["samples.png", "maps_umap.svg", "training_timelapse.gif", "scores_by_class.csv", "maps_t-sne.png"]
    (tmp_path / "maps_folder.png").mkdir()
    (tmp_path / "sub").mkdir()
    foreign = [
        *("report.html", "findings.json", "notes.txt", "last.ckpt", "sub/maps_umap.png", "../outside_file.png"),
        *(str(tmp_path / "maps_umap.png"), ".hidden_file.png", "photo.png", "maps_umap.png.bak", "", ".", ".."),
        *("maps_umap.png\n", "maps_folder.png", "maps_gone.png"),
    ]
    for name in [*own, *foreign[:4], "sub/maps_umap.png", ".hidden_file.png", "photo.png"]:
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / FINDINGS).write_text(json.dumps({"files": own + foreign}), encoding="utf-8")
    assert _earlier_files(tmp_path) == set(own)
    for damaged in ("", "[]", "{}", '{"files": "samples.png"}', '{"files": [["samples.png"]]}', "[" * 9000):
        (tmp_path / FINDINGS).write_text(damaged, encoding="utf-8")
        assert _earlier_files(tmp_path) == set()


@pytest.mark.train
def test_values_that_are_shared_count_each_time():
    few = [0]
    for _ in range(40):
        few = [few, few]
    with pytest.raises(ValueError, match=f"more than {MAX_VALUES:,} values"):
        check_data(few)
    few.append(few)
    with pytest.raises(ValueError, match=r"more than|nested"):
        check_data(few)
    check_data({"a": [1, 2.5, "b", None, True, (3,)]})
    for wrong in ({1: 2}, {"a": {3}}, [b"x"], [2**63], ["\ud800"], [object()]):
        with pytest.raises(ValueError, match=r"where|key|surrogates"):
            check_data(wrong)
