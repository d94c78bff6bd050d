"""Pytest plugin: marks the tests that are not quick by what they use, and holds the others to it.

A test is marked ``process``, ``data``, ``train`` or ``browser`` by hand, or because it uses a fixture of
`KIND_OF_FIXTURE`. An unmarked test fails if it starts a process, trains, or takes more than `SECONDS`.
"""

import multiprocessing.process
import os
import sys
import time

import pytest
from _pytest.runner import runtestprotocol

KIND_OF_FIXTURE = {
    **dict.fromkeys(("start", "command", "starts", "on_two_devices"), "process"),
    "mirror": "data",
    **dict.fromkeys(("fit", "trained", "tiny"), "train"),
    "chromium": "browser",
}
KINDS = frozenset(KIND_OF_FIXTURE.values())
SECONDS = 1.0
"""Of processor time, in the test itself and not in its fixtures; up to three times as much on a busy machine."""
LONGEST = (
    *("test_cli", "test_launchers", "test_own_data", "test_search", "test_analyze", "test_lifecycle", "test_output"),
    *("test_second_device", "test_gpu_check", "test_notebook", "test_interruption", "test_wheel", "test_cuda_graphs"),
    *("test_maps", "test_two_sample", "test_export", "test_configs", "test_generator_damage", "test_wrong_values"),
    *("test_my_package", "test_main", "test_readme"),
)
"""Files whose tests take minutes, the longest first: so no worker is left with one of them alone at the end."""
STARTS = frozenset(("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec"))


class Watch:
    """Knows whether an unmarked test runs now, and what it did that such a test must not."""

    def __init__(self):
        self.on = False
        self.refused: list[str] = []
        self._trainer = None

    def refuse(self, what: str) -> None:
        if self.on:
            self.refused.append(what)
            raise AssertionError(f"a test without a marker of its kind {what} (see tests/kinds.py)")

    def audit(self, event: str, arguments: tuple) -> None:
        if self.on and event in STARTS:
            self.refuse(f"starts a process: {arguments[:2]}")

    def begin(self, item: pytest.Item) -> None:
        """Watches over a test if it is unmarked, and over Lightning once something has imported it."""
        self.on = is_quick(item)
        if self._trainer is None and (module := sys.modules.get("lightning.pytorch.trainer.trainer")):
            self._trainer = module.Trainer
            _before(self._trainer, "fit", lambda: self.refuse("trains"))


def _before(cls: type, name: str, call) -> None:
    """Replaces a method by one that makes a call first."""
    method = getattr(cls, name)

    def replaced(*args, **options):
        call()
        return method(*args, **options)

    setattr(cls, name, replaced)


AGAIN = pytest.StashKey[bool]()
"""Set when a test took too long: it is run a second time, which counts."""

watch = Watch()
sys.addaudithook(watch.audit)
_before(multiprocessing.process.BaseProcess, "start", lambda: watch.refuse("starts a process"))


def limit(item: pytest.Item) -> float:
    """Seconds that an unmarked test may take: processes that share caches and cores slow each other down.

    Beside long tests, in a run without ``-m``, a test that is merely slowed down must not fail the run.
    """
    busy = min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), 3.0)
    return SECONDS * (busy if item.config.option.markexpr else 5.0)


def is_quick(item: pytest.Item) -> bool:
    return not any(item.get_closest_marker(kind) for kind in KINDS)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind in {KIND_OF_FIXTURE[name] for name in getattr(item, "fixturenames", ()) if name in KIND_OF_FIXTURE}:
            item.add_marker(kind)
    begin = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: begin.get(item.path.stem, len(LONGEST)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Imports what starts a process when it is imported, so that no test does."""
    if any(map(is_quick, session.items)):
        import torchvision.datasets  # noqa: F401 (asks ldconfig for a library)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item):
    watch.refused = []
    watch.begin(item)
    try:
        return (yield)
    finally:
        watch.on = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    watch.begin(item)
    began = time.process_time()
    try:
        result = yield
    finally:
        watch.on = False
    if watch.refused:  # the test has caught the error
        pytest.fail(f"a test without a marker of its kind {watch.refused[0]} (see tests/kinds.py)", pytrace=False)
    if is_quick(item) and (spent := time.process_time() - began) > limit(item):
        if AGAIN in item.stash:
            pytest.fail(f"a test without a marker of its kind takes {spent:.1f} s (see tests/kinds.py)", pytrace=False)
        item.stash[AGAIN] = True
    return result


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Runs an unmarked test that took too long once more, since the first time also imports and compiles."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if AGAIN in item.stash:
        item._initrequest()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
