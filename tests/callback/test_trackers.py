"""What MLflow, W&B, Trackio and Lightning's CSV logger receive of a run, and what becomes of a run without them."""

import csv
import json
import sqlite3
import sys

import pytest
import yaml
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import OmegaConf
from PIL import Image

from fmcgan.app import run_dir
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError
from fmcgan.app.run_files import read_metrics
from fmcgan.callback import tracker as tracker_module
from fmcgan.callback.evaluation import Evaluation
from fmcgan.callback.run_info import RunInfo
from fmcgan.callback.samples import SampleGrid
from fmcgan.callback.tracker import RemoteTracker, Tracker
from fmcgan.metric.feature.classifier import ClassifierFeatures
from fmcgan.metric.frechet import FrechetDistance
from fmcgan.train import validate

FEW = ("trainer.max_epochs=2", "trainer.limit_train_batches=4", "callback.metrics_logger.every_n_batches=2")


def logged(folder, *names):
    return [*FEW, f"logger=[{','.join(names)}]", *(f"logger.{name}.save_dir={folder}" for name in names)]


def scored():
    return [SampleGrid(), Evaluation({"frechet": FrechetDistance({"classifier": ClassifierFeatures()})}, n=50)]


def finish(trainer, gan):
    (record,) = (callback for callback in trainer.callbacks if isinstance(callback, RunInfo))
    return record.write_result(trainer, gan)


class Recorded:
    """A service that writes down what it gets, and is out of reach when told so."""

    def __init__(self):
        self.got, self.away, self.experiment = [], False, None

    def log_metrics(self, metrics, step):
        if self.away:
            raise ConnectionError("no route\nto host")
        self.got.append(step)

    def log_hyperparams(self, params):
        self.got.append(params)


class Service(RemoteTracker):
    """A tracker of `Recorded`."""

    def __init__(self, save_dir, opened=None):
        super().__init__("service", str(save_dir))
        self.opened = [] if opened is None else opened
        self.closed, self.files = [], []

    def _open(self, run_id):
        self.opened.append(run_id)
        return Recorded(), run_id or f"run{len(self.opened)}"

    def add_config(self, params, text, scores, images_seen):
        self.log_hyperparams(params)

    def add_image(self, name, grey, images_seen):
        self._send(self._logger.got.append, (name, images_seen))

    def _add_files(self, files):
        self.files += [file.name for file in files]

    def _close(self, success):
        self.closed.append(success)


class Away(Callback):
    """Makes the service unreachable for the second epoch."""

    def __init__(self, service, at_end=False):
        self.service, self.at_end = service, at_end

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            self.service._logger.away = True

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            self.service._logger.away = self.at_end


@pytest.fixture
def served(fit, tmp_path, monkeypatch):
    """Trains with a `Service`; returns trainer, GAN and service."""

    def served(*overrides, extra_callbacks=(), **options):
        service = Service(tmp_path / "run", options.pop("opened", None))
        monkeypatch.setattr("fmcgan.train._trainer", lambda config, **given: _with_logger(config, given, service))
        trainer, gan = fit(*FEW, *overrides, extra_callbacks=[each(service) for each in extra_callbacks], **options)
        return trainer, gan, service

    from fmcgan.train import _trainer

    def _with_logger(config, given, service):
        return _trainer(config, **given | {"logger": [service]})

    return served


def test_everything_reaches_a_tracker_and_is_closed_last(served, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    trainer, gan, service = served(extra_callbacks=[lambda _: SampleGrid()])
    params, *rest = service._logger.got
    assert params["trainer.default_root_dir"] == "run"  # and not where this machine has it
    assert str(tmp_path) not in json.dumps(params)
    assert rest == [("samples", 0), 64, 128, ("samples", 128), 192, 256, ("samples", 256)]
    assert service.closed == []
    finish(trainer, gan)
    assert service.files == ["result.json", "environment.json"]  # no figures are drawn here
    assert service.closed == [True]


def test_a_service_that_is_away_for_a_while_receives_everything_in_order(served, monkeypatch, caplog):
    monkeypatch.setattr(tracker_module, "RETRY_SECONDS", 0.0)
    trainer, gan, service = served(extra_callbacks=[Away])
    assert service._logger.got[1:] == [64, 128]
    finish(trainer, gan)
    assert service._logger.got[1:] == [64, 128, 192, 256, 256]
    assert [record.message for record in caplog.records if "service" in record.message] == [
        "service: ConnectionError: no route; training continues, and this is sent again later"
    ]


def test_a_service_that_stays_away_does_not_fail_the_run(served, caplog, tmp_path):
    trainer, gan, service = served(extra_callbacks=[lambda service: Away(service, at_end=True)])
    assert finish(trainer, gan)["images_seen"] == 256
    assert (tmp_path / "run" / "result.json").is_file()
    assert service._logger.got[1:] == [64, 128]
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len([each for each in warnings if "service" in each]) == 2  # when it went, and at the end


def test_a_resumed_run_continues_and_a_restarted_one_does_not(served, tmp_path):
    opened = []
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    served(opened=opened)
    served("trainer.max_epochs=3", ckpt_path=last, opened=opened)
    assert opened == [None, "run1"]
    last.unlink()  # as of a run that was killed in its first epoch
    served(opened=opened)
    assert opened == [None, "run1", None]
    assert json.loads((tmp_path / "run" / "trackers.json").read_text()) == {"service": "run3"}


def test_a_run_that_fails_is_closed_as_failed(served):
    class Fail(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            raise KeyError("failed")

    services = []
    with pytest.raises(KeyError):
        served(extra_callbacks=[lambda service: services.append(service) or Fail()])
    assert services[0].closed == [False]


def test_a_damaged_file_of_ids_is_refused(tmp_path):
    (tmp_path / run_dir.TRACKERS).write_text('{"service": "../../x"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"trackers\.json"):
        _ = Service(tmp_path).experiment


def test_a_service_that_refuses_the_run_ends_the_command_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Service, "_open", lambda self, run_id: 1 / 0)
    with pytest.raises(UserError, match=r"^service cannot open a run: ZeroDivisionError"):
        _ = Service(tmp_path).experiment


class OnlyScalars(Logger):
    """A user's own logger, of what Lightning demands alone."""

    name = "own"
    version = 0

    def __init__(self):
        super().__init__()
        self.steps = []

    def log_metrics(self, metrics, step=None):
        self.steps.append(step)

    def log_hyperparams(self, params, *args, **options):
        pass


def test_a_logger_of_ones_own_gets_scalars(fit, monkeypatch):
    from fmcgan.train import _trainer

    own = OnlyScalars()
    assert not isinstance(own, Tracker)
    monkeypatch.setattr("fmcgan.train._trainer", lambda config, **given: _trainer(config, **given | {"logger": [own]}))
    finish(*fit(*FEW, extra_callbacks=[SampleGrid()]))
    assert own.steps == [64, 128, 192, 256, 256]


def test_lightnings_csv_holds_the_rows_of_each_session(fit, tmp_path):
    folder = tmp_path / "run"
    fit(*logged(folder, "csv"))
    fit(*logged(folder, "csv"), "trainer.max_epochs=3", ckpt_path=folder / "checkpoints" / "last.ckpt")
    rows = []
    for session in ("version_0", "version_1"):
        with (folder / "csv" / session / "metrics.csv").open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    own = read_metrics(folder / "metrics.jsonl")
    assert [(int(row["step"]), float(row["loss/generator"])) for row in rows] == [
        (row["images_seen"], row["loss/generator"]) for row in own
    ]
    assert len(own) == 6
    params = yaml.safe_load((folder / "csv" / "version_0" / "hparams.yaml").read_text(encoding="utf-8"))
    assert params["trainer.max_epochs"] == 2


@pytest.mark.train
@pytest.mark.parametrize("name", ["mlflow", "trackio", "wandb"])
def test_a_missing_package_is_asked_for_before_training(compose, monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    config = compose(f"logger=[{name}]", f"logger.{name}.save_dir={tmp_path}")
    with pytest.raises(Exception) as caught:  # noqa: PT011 (Hydra wraps it)
        validate(config)
    assert format_error(caught.value, config) == (
        f"error: logger={name} needs the extra \"trackers\": pip install 'fmcgan[trackers]'"
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The folder of an empty store of MLflow, made once: that takes seconds."""
    pytest.importorskip("mlflow", reason="needs pip install 'fmcgan[trackers]'")
    folder = tmp_path_factory.mktemp("mlflow")
    return folder, f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def query(store):
    def query(sql, *values):
        with sqlite3.connect(store[0] / "mlflow.db") as database:
            return database.execute(sql, values).fetchall()

    return query


def test_mlflow_holds_the_run_and_its_resumption(fit, store, query, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store[1])
    given = logged(folder, "csv", "mlflow")
    finish(*fit(*given, extra_callbacks=scored()))
    ((run_id, name, status, address),) = query("select run_uuid, name, status, artifact_uri from runs")
    assert (name, status) == ("run", "FINISHED")
    params = dict(query("select key, value from params"))
    assert params["data.batch_size"] == "32"
    assert params["trainer.max_epochs"] == "2"
    assert not [value for value in params.values() if value.startswith("/")]

    last = folder / "checkpoints" / "last.ckpt"
    result = finish(*fit(*given, "trainer.max_epochs=3", ckpt_path=last, extra_callbacks=scored()))
    assert query("select run_uuid, status from runs") == [(run_id, "FINISHED")]
    rows = read_metrics(folder / "metrics.jsonl")
    for column in {name for row in rows for name in row} - {"images_seen", "epoch", "seconds"}:
        points = query("select step, value from metrics where key = ? order by step", column)
        assert points == [(row["images_seen"], row[column]) for row in rows if column in row], column
    score = result["scores"]["fd_classifier_50_test"]["value"]
    assert (384, score) in query("select step, value from metrics where key = 'hp/fd_classifier_50_test'")

    artefacts = store[0] / address.removeprefix(f"file://{store[0]}/")
    assert json.loads((artefacts / "result.json").read_text(encoding="utf-8")) == result
    text = (artefacts / "config.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["trainer"]["max_epochs"] == 3
    assert str(tmp_path) not in text
    grids = sorted((artefacts / "images").glob("samples*.png"), key=lambda path: int(path.name.split("+")[2]))
    assert [int(path.name.split("+")[2]) for path in grids] == [0, 128, 256, 384]
    with Image.open(grids[-1]) as sent, Image.open(folder / "samples" / "epoch_003.png") as drawn:
        assert sent.convert("L").tobytes() == drawn.convert("L").tobytes()


@pytest.mark.train  # imports MLflow
def test_an_mlflow_server_that_is_not_there_is_reported_before_training(compose, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="needs pip install 'fmcgan[trackers]'")
    from fmcgan.callback.mlflow import MLflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"^mlflow cannot open a run: ") as caught:
        _ = MLflow(str(tmp_path), "http://127.0.0.1:9").experiment
    assert "\n" not in str(caught.value)


def test_wandb_writes_one_run_for_both_sessions(fit, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="needs pip install 'fmcgan[trackers]'")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    folder = tmp_path / "run"
    finish(*fit(*logged(folder, "wandb"), extra_callbacks=[SampleGrid()]))
    last = folder / "checkpoints" / "last.ckpt"
    finish(*fit(*logged(folder, "wandb"), "trainer.max_epochs=3", ckpt_path=last, extra_callbacks=[SampleGrid()]))
    wandb.teardown()  # its own process writes the files, and may do so after the run has ended
    run_id = json.loads((folder / "trackers.json").read_text(encoding="utf-8"))["wandb"]
    files = sorted((folder / "wandb").glob("offline-run-*/run-*.wandb"))
    assert [path.name for path in files] == [f"run-{run_id}.wandb"] * 2
    assert [len(list((path.parent / "files/media/images").glob("samples*.png"))) for path in files] == [3, 1]
    assert b"loss/generator" in files[0].read_bytes()
    assert b"result.json" in files[1].read_bytes()


def test_trackio_holds_the_run_and_its_resumption(fit, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))  # which Trackio reads when it is imported
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    pytest.importorskip("trackio", reason="needs pip install 'fmcgan[trackers]'")
    folder = tmp_path / "run"
    monkeypatch.chdir(tmp_path)
    given = logged(folder, "trackio")
    finish(*fit(*given, extra_callbacks=scored()))
    last = folder / "checkpoints" / "last.ckpt"
    result = finish(*fit(*given, "trainer.max_epochs=3", ckpt_path=last, extra_callbacks=scored()))
    with sqlite3.connect(tmp_path / "store" / "fmcgan.db") as database:
        logged_rows = database.execute("select run_id, run_name, step, metrics from metrics order by id").fetchall()
        ((config,),) = database.execute("select config from configs").fetchall()
    assert {row[:2] for row in logged_rows} == {(logged_rows[0][0], "run")}
    assert json.loads(config)["data.batch_size"] == 32
    sent = {}
    for _, _, step, metrics in logged_rows:
        for name, value in json.loads(metrics).items():
            sent.setdefault(name, []).append((step, value))
    rows = read_metrics(folder / "metrics.jsonl")
    for column in {name for row in rows for name in row} - {"images_seen", "epoch", "seconds"}:
        assert sent[column] == [(row["images_seen"], row[column]) for row in rows if column in row], column
    assert sent["hp/fd_classifier_50_test"][-1] == (384, result["scores"]["fd_classifier_50_test"]["value"])
    assert [step for step, _ in sent["samples"]] == [0, 128, 256, 384]
    drawn = Image.open(folder / "samples" / "epoch_003.png").convert("L")
    image = next(each for _, each in reversed(sent["samples"]))
    with Image.open(tmp_path / "store" / "media" / image["file_path"]) as kept:
        assert kept.convert("L").tobytes() == drawn.tobytes()
    assert "rackio" not in capsys.readouterr().out


@pytest.mark.train
def test_wandbs_own_variable_sets_the_mode(compose, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert OmegaConf.select(compose("logger=[wandb]"), "logger.wandb.mode") == "disabled"
