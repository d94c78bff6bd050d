"""What is printed and logged never ends a process; each case is a small process of its own."""

import logging
import os
import subprocess
import sys

import pytest

from fmcgan.app.process import LogFile

SPEAKER = """
import logging, sys, warnings
from fmcgan.app.process import protect_streams
protect_streams()
from tqdm import tqdm
logging.basicConfig(stream=sys.stderr, level=logging.INFO)
for _ in tqdm(range(3)):
    for _ in range(2000):
        print("Läufe-日本 \\udcfc", flush=True)
        print("to stderr \\x1b[2J 日本", file=sys.stderr)
        logging.info("logged %s", "日本")
    warnings.warn("warned 日本")
print("the last words")
with open(sys.argv[1], "x") as file:
    assert file.fileno() > 2
    file.write("done")
"""
REDIRECTIONS = ("", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>&1")
PIPES = ("| head -1", "2>&1 | head -1", "2>&1 >/dev/null | head -1", "2>&1 | true")
ENCODINGS = (
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "cp1252:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONUNBUFFERED": "1"},
)


def run(code: str, redirection: str, folder, **environment):
    (folder / "speaker.py").write_text(code, encoding="utf-8")
    line = f"set -o pipefail; {sys.executable} speaker.py done {redirection}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, timeout=60)


@pytest.mark.process
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("redirection", REDIRECTIONS + PIPES)
def test_nobody_has_to_read(tmp_path, redirection):
    ended = run(SPEAKER, redirection, tmp_path)
    assert (tmp_path / "done").read_text(encoding="utf-8") == "done"
    assert ended.returncode == 0
    assert b"Exception ignored" not in ended.stderr
    assert b"Logging error" not in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.process
@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
def test_no_letter_fails(tmp_path, environment):
    ended = run(SPEAKER, "", tmp_path, **environment)
    assert ended.returncode == 0, ended.stderr
    assert b"the last words" in ended.stdout
    assert b"\x1b[2J" not in ended.stderr
    assert b"to stderr \\x1b[2J" in ended.stderr


WHERE = """
import sys, locale
from fmcgan.app.process import protect_streams, use_utf8
use_utf8()
protect_streams()
open(sys.argv[2], "w").write(sys.argv[2])  # as a library would, without an encoding
print(sys.getfilesystemencoding(), sys.argv[2], len(sys.argv))
"""


@pytest.mark.process
@pytest.mark.parametrize("environment", [{}, *ENCODINGS], ids=str)
def test_files_are_utf8_whatever_the_locale(tmp_path, environment):
    ended = run(WHERE, "日本", tmp_path, **environment)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "日本").read_text(encoding="utf-8") == "日本"
    assert ended.stdout.split()[0::2] == [b"utf-8", b"3"]


def test_streams_of_a_test_or_notebook_stay(capsys):
    from fmcgan.app.process import protect_streams

    before = sys.stdout, sys.stderr, logging.raiseExceptions
    protect_streams()
    assert (sys.stdout, sys.stderr) == before[:2]
    logging.raiseExceptions = before[2]


def test_a_log_holds_any_letter_and_gives_up_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    record = logging.LogRecord("x", logging.INFO, "", 0, "日本 \x1b[2J \udcfc", (), None)
    for path in (tmp_path / "log", tmp_path / "missing" / "log", "/dev/full"):
        handler = LogFile(path, delay=True, encoding="utf-8", errors="backslashreplace")
        handler.emit(record)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "日本 \\x1b[2J \\xfc\n"
