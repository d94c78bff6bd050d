"""What is printed can be pasted: any text comes back from a shell, Hydra's parser and OmegaConf as it was."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fmcgan.app.errors import UserError
from fmcgan.app.overrides import parse, parse_arguments, quoted, quoted_elements, shell_command
from fmcgan.app.run_files import read_metrics
from fmcgan.app.typed_overrides import normalize_overrides

ODD = "aZ0._-/ '\"\\$`{}[](),:;=~!*?&|<>#%@^+\täßøЖ日本é\u0301\u00a0😀\n"
NAMES = st.text(st.sampled_from(ODD), min_size=1, max_size=12) | st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), min_size=1, max_size=12
)
QUICK = settings(derandomize=True, max_examples=100, deadline=None)


def read_back(override):
    """What a program gets that is started with this override."""
    return OmegaConf.create({"value": parse(override).value()}).value


@QUICK
@given(NAMES)
@example("null")
@example("1e3")
@example("2026_11_29")
@example("a${b}\\${c}\\\\${d}\\")
def test_a_quoted_text_comes_back(name):
    if name == "???":  # OmegaConf's mark of a missing value
        return
    assert parse(f"key={quoted(name)}").value() == read_back(f"key={quoted(name)}") or "${" in name
    assert read_back(f"key={quoted(name)}") == name
    pasted = shlex.split(shell_command("fmcgan.train", f"ckpt_path={quoted(name)}"))
    assert pasted[:3] == ["python", "-m", "fmcgan.train"]
    assert read_back(pasted[3]) == name


@QUICK
@given(st.lists(NAMES.filter(lambda name: name != "???"), min_size=1, max_size=4))
def test_a_list_of_quoted_texts_stays_as_it_is(names):
    text = "[" + ",".join(map(quoted, names)) + "]"
    assert [read_back(f"key={quoted(each)}") for each in names] == names
    assert parse(f"key={quoted_elements(text)}").value() == parse(f"key={text}").value()


PLAIN = NAMES.map(str.strip).filter(lambda name: not re.search(r"[\[\],\\]|\$\{|^(['\"{~]|(null|\?\?\?)?$)", name))


@pytest.mark.parametrize("key", ["run", "output"])
@QUICK
@given(name=PLAIN.filter(lambda name: not re.match(r"\w+\s*\(", name)))  # a function of Hydra's
def test_a_name_typed_without_quotes_is_meant_as_typed(key, name):
    (override,) = normalize_overrides(parse_arguments([f"{key}={name}"]), "evaluate")
    assert read_back(override) == name


@pytest.mark.parametrize("value", ["???", "'???'", '"???"'])
def test_the_mark_of_a_missing_value_names_no_file(value):
    with pytest.raises(UserError, match=r"write \./\?\?\?"):
        normalize_overrides(parse_arguments([f"run={value}"]), "evaluate")
    (override,) = normalize_overrides(parse_arguments(["run=./???"]), "evaluate")
    assert parse(override).value() == "./???"


@pytest.mark.parametrize(
    "name", ["7", "1e3", "2026_11_29", "0.10", "1_000", "True", "false", "NaN", "inf", "-1", "Null", "+5"]
)
@pytest.mark.parametrize(
    ("command", "key"),
    [
        *(("generate", "output"), ("evaluate", "run"), ("evaluate", "samples"), ("export", "output")),
        *(("train", "ckpt_path"), ("compare", "runs"), ("train", "hydra.run.dir")),
        *(("analyze", "cache"), ("train", "data.root")),
    ],
)
def test_a_name_that_looks_like_a_number_is_a_name(command, key, name):
    (override,) = normalize_overrides(parse_arguments([f"{key}={name}"]), command)
    assert parse(override).value() == name
    if key == "runs":
        (override,) = normalize_overrides(parse_arguments([f"runs=[a,{name},'{name}',\"it's, it\",Läufe]"]), command)
        assert parse(override).value() == ["a", name, name, "it's, it", "Läufe"]


def test_null_is_a_name_only_where_it_has_no_meaning():
    for command, key, value in (("evaluate", "run", None), ("export", "output", None), ("generate", "output", "null")):
        (override,) = normalize_overrides(parse_arguments([f"{key}=null"]), command)
        assert parse(override).value() == value


def test_what_is_quoted_or_interpolated_stays_as_it_is():
    typed = ["output='a b'", 'samples="7"', "cache=${oc.env:HOME}/x", "run=plain/path.ckpt", "seed=7", "n=1e3"]
    assert normalize_overrides(parse_arguments(typed), "evaluate") == typed
    sweep = ["-m", "output=7,8", "run=a,b"]
    assert normalize_overrides(parse_arguments(sweep), "generate") == ['output="7","8"', "run=a,b"]


@pytest.mark.parametrize("value", ["'Läufe", "logs=a", "it's", "Läufe", "a(b", "[Läufe,b]", "#", "~/x"])
def test_other_unreadable_values_end_in_a_line_that_shows_how_to_quote(value):
    with pytest.raises(UserError, match="need quotes") as error:
        normalize_overrides(parse_arguments([f"logger.tensorboard.name={value}"]), "train")
    (pasted,) = shlex.split(str(error.value).splitlines()[1])
    expected = ["Läufe", "b"] if value[0] == "[" else value
    assert read_back(pasted) == expected


def test_the_arguments_are_sorted_as_hydra_sorts_them():
    line = parse_arguments(["--config-dir", "mine", "-m", "seed=1", "loss=mine"])
    assert (line.options, line.overrides) == (["--config-dir", "mine", "-m"], ["seed=1", "loss=mine"])
    assert line.config_dirs[1] == Path("mine")
    assert "-m" in line.options
    after = parse_arguments(["seed=1", "seed=1", "--config-dir", "seed=1"])
    assert after.overrides == ["seed=1", "seed=1"]
    assert after.config_dirs[1] == Path("seed=1")


@pytest.mark.process
def test_a_real_shell_hands_on_what_was_printed(tmp_path):
    """300 drawn names, each printed twice in a script of 300 commands."""
    random = Random(0)
    names = ["".join(random.choices(ODD, k=random.randint(1, 12))) for _ in range(300)]
    commands = [shell_command("fmcgan.train", f"data.root={quoted(name)}", f"run={quoted(name)}") for name in names]
    stub = "python() { printf '%s\\0' \"$@\"; }"
    (tmp_path / "script.sh").write_text("\n".join([stub, *commands]), encoding="utf-8")
    output = subprocess.run(["bash", "script.sh"], cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    words = output.split("\0")[:-1]
    assert words[::4] == ["-m"] * len(names)
    assert [read_back(word) for word in words[2::4]] == [read_back(word) for word in words[3::4]] == names


def test_the_printed_command_can_be_pasted(start, tmp_path):
    """A run in a folder of odd names, with an override that its folder may not choose, is interrupted and resumed."""
    folder = 'it\'s here/müller/日本=1,2/$HOME \\ "x" `ls`'
    place = tmp_path / folder
    run = ["experiment=smoke", "logger=[]", "metric=[]", "callback=[metrics_logger,checkpointing,run_info]"]
    run += ["trainer.limit_train_batches=60", "trainer.max_epochs=1", "callback.metrics_logger.every_n_batches=1"]
    run += [f"feature.classifier.weights={quoted('${x} ' + folder)}", f"hydra.run.dir={quoted(folder)}"]
    process = start("train", *run)
    deadline = time.monotonic() + 120
    while not (place / "metrics.jsonl").exists() or len(read_metrics(place / "metrics.jsonl")) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    printed = errors[errors.index("python -m fmcgan.train ") :].splitlines()[0]
    pasted = printed.replace("python", shlex.quote(sys.executable), 1)
    subprocess.run(["bash", "-c", pasted], cwd=tmp_path, check=True, timeout=200)
    result = json.loads((place / "result.json").read_text(encoding="utf-8"))
    assert result["images_seen"] == 60 * 32
    config = yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))
    assert config["feature"]["classifier"]["weights"] == "${x} " + folder
