"""Folders for the Hugging Face hub: what the client of the hub reads in them, and that they give the same generator."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file

from fmcgan import load_generator
from fmcgan.app.errors import UserError
from fmcgan.data.info import DatasetInfo
from fmcgan.export import export
from fmcgan.inference import hub
from fmcgan.inference.generator import LabelledGenerator
from fmcgan.inference.hub_folder import check_folder, write_hub_folder
from tests.test_export import config_of, tiny

SCORES = {
    "result.json": {"fd_classifier_500_test": {"value": 9.5, "real": 1.5}},
    "evaluation.json": {
        "fd_classifier_10k_test": {"value": 0.24189, "real": 0.02464},
        "recall_k3_classifier_10k_test": {"value": 0.769, "real": 0.88},
        "mine_10k": {"value": 3.0, "real": None},
    },
}
FACTS = {
    "scores": SCORES,
    "seed": 3,
    "command": "python -m fmcgan.train seed=3",
    "environment": {"hardware": "CPU of a test", "packages": {"torch": "9.9"}, "git": {"commit": "abc"}},
    "data": {"train_sha256": "feed", "md5": {"a": "b"}},
    "licence": "MIT",
}
FILES = ["README.md", "config.json", "model.safetensors", "samples.png"]


@pytest.fixture
def generator():
    """A small generator of fresh weights, and the facts of a run."""

    def generator(info=None, **changed):
        config, network = tiny(**({} if info is None else {"info": info}))
        run = {} if info is None else {"dataset": info.as_config()}
        about = {"generator": config, "config": run, "images_seen": 12345, "weights": "ema", **FACTS, **changed}
        return LabelledGenerator(network, about)

    return generator


def test_the_folder_gives_the_same_generator(generator, tmp_path):
    written = generator()
    write_hub_folder(tmp_path / "garments", written)
    assert sorted(path.name for path in (tmp_path / "garments").iterdir()) == FILES
    for place in (tmp_path / "garments", str(tmp_path / "garments" / "model.safetensors")):
        read = load_generator(place)
        assert np.array_equal(read.sample(n_per_class=2).images, written.sample(n_per_class=2).images)
        assert read.about["scores"] == SCORES
    config = json.loads((tmp_path / "garments" / "config.json").read_text(encoding="utf-8"))
    assert (config["library_name"], config["generator"]) == ("fmcgan", written.about["generator"])
    with Image.open(tmp_path / "garments" / "samples.png") as picture:
        assert picture.format == "PNG"
    write_hub_folder(tmp_path / "half", written, dtype="float16")
    floats = [each for each in load_file(tmp_path / "half" / "model.safetensors").values() if each.is_floating_point()]
    assert {each.dtype for each in floats} == {torch.float16}


def test_the_hubs_client_reads_the_metadata_of_the_card(generator, tmp_path):
    write_hub_folder(tmp_path / "my garments", generator())
    data = ModelCard.load(tmp_path / "my garments" / "README.md").data
    assert (data.license, data.library_name, data.model_name) == ("mit", "fmcgan", "my-garments")
    assert data.pipeline_tag == "unconditional-image-generation"
    found = {each.metric_type: each for each in data.eval_results}
    assert {name: each.metric_value for name, each in found.items()} == {
        name: each["value"] for scores in SCORES.values() for name, each in scores.items()
    }
    fd = found["fd_classifier_10k_test"]
    assert (fd.dataset_type, fd.metric_args) == ("fashion_mnist", {"better": "lower", "real_images": 0.02464})
    assert fd.metric_name == "Fréchet distance"
    assert (found["mine_10k"].metric_name, found["mine_10k"].metric_args) == ("mine_10k", None)  # of another package


def test_the_card_says_what_the_run_recorded(generator, tmp_path):
    write_hub_folder(tmp_path / "garments", generator())
    text = (tmp_path / "garments" / "README.md").read_text(encoding="utf-8")
    for fact in ("12,345", "moving average", "`python -m fmcgan.train seed=3`", "CPU of a test", "torch 9.9", "feed"):
        assert fact in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `recall_k3_classifier_10k_test`")]
    assert [cell.strip() for cell in row.split("|")[3:6]] == ["higher", "0.769", "0.88"]
    assert "t-shirt, trouser" in text
    assert "hf://OWNER/garments" in text
    assert "trust" not in text
    assert "None" not in text


def test_a_generator_without_a_record_has_a_card_without_scores(generator, tmp_path):
    nothing = dict.fromkeys(FACTS, None) | {"scores": {}, "environment": {}, "data": {}}
    del nothing["seed"], nothing["command"], nothing["licence"]
    bare = generator()
    bare.about = {name: value for name, value in bare.about.items() if name not in FACTS}
    write_hub_folder(tmp_path / "garments", bare, licence="cc-by-4.0")
    card = ModelCard.load(tmp_path / "garments" / "README.md")
    assert card.data.eval_results is None
    assert card.data.license == "cc-by-4.0"
    assert "No score of these weights is recorded." in card.text
    assert "None" not in card.text
    assert load_generator(tmp_path / "garments").about["licence"] == "cc-by-4.0"


def test_hostile_text_of_a_file_is_text_on_the_card(generator, tmp_path):
    names = ("<script>alert(1)</script>", "---", "[x](javascript:y)", "a|b")
    info = DatasetInfo("`x`\nlicense: evil\n---", names, size=28)
    hostile = {"command": "a `b` | <img src=x>", "environment": {"hardware": "--- \n# head"}, "licence": "x\ny: z"}
    write_hub_folder(tmp_path / "garments", generator(info, **hostile))
    content = (tmp_path / "garments" / "README.md").read_text(encoding="utf-8")
    _, metadata, text = content.split("---\n", 2)
    read = yaml.safe_load(metadata)
    assert read["license"] == "x\ny: z"
    assert "y" not in read
    for mark in ("<script", "<img", "](javascript", "\n# head"):
        assert mark not in text
    assert ModelCard.load(tmp_path / "garments" / "README.md").data.eval_results[0].dataset_name == info.name


def test_another_package_is_named_on_the_card(generator, tmp_path):
    foreign = generator()
    foreign.about = foreign.about | {"generator": {"_target_": "mine.Generator", "a": [{"_target_": "other.B"}]}}
    write_hub_folder(tmp_path / "garments", foreign)
    text = (tmp_path / "garments" / "README.md").read_text(encoding="utf-8")
    assert "The network is of the package mine, other, which must be installed." in text
    assert "load_generator(\"hf://OWNER/garments\", trust=['mine', 'other'])" in text
    with pytest.raises(UserError, match=r"give trust=\[mine\]"):
        load_generator(tmp_path / "garments")


def test_of_many_classes_the_first_are_drawn(generator, tmp_path):
    info = DatasetInfo("letters", tuple(f"class {label}" for label in range(40)))
    write_hub_folder(tmp_path / "letters", generator(info))
    text = (tmp_path / "letters" / "README.md").read_text(encoding="utf-8")
    assert "(seed 0; the first 26 classes)" in text
    assert "class 39" in text


def test_only_a_folder_of_its_own_is_written_to_again(generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_hub_folder(Path("garments"), generator())
    (tmp_path / "garments" / ".gitattributes").write_text("x", encoding="utf-8")
    check_folder(Path("garments"))
    write_hub_folder(Path("garments"), generator(images_seen=7))
    assert load_generator("garments").images_seen == 7
    assert (tmp_path / "garments" / ".gitattributes").read_text(encoding="utf-8") == "x"
    Path("project").mkdir()
    Path("project/README.md").write_text("# Mine\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"output=project holds README\.md of something else"):
        export(config_of("export", "format=hub", "output=project"))
    with pytest.raises(UserError, match=r"output=project/README\.md is a file"):
        check_folder(Path("project/README.md"))
    assert Path("project/README.md").read_text(encoding="utf-8") == "# Mine\n"


@pytest.mark.parametrize("licence", ["MIT License", "", "a b", 7, ["mit"], "-x"])
def test_a_licence_is_a_name_of_the_hub(licence):
    config = config_of("export", "format=hub")
    config.licence = licence
    with pytest.raises(UserError, match="licence must be a name of the Hugging Face hub"):
        export(config)


def test_a_licence_without_a_card_is_refused():
    with pytest.raises(UserError, match="licence=mit is for the card of format=hub"):
        export(config_of("export", "licence=mit"))


@pytest.mark.parametrize("address", ["hf://", "hf://owner", "hf://owner/name/file", "hf://a b/c", "hf://../x@"])
def test_what_is_no_address(address):
    with pytest.raises(UserError, match="is no address on the hub; write hf://owner/name"):
        load_generator(address)


COMMIT = "0123456789" * 4


@pytest.fixture
def server(generator, tmp_path):
    """Answers as the hub does, for the one file of owner/garments; notes what was asked for."""
    write_hub_folder(tmp_path / "garments", generator())
    content = (tmp_path / "garments" / hub.WEIGHTS).read_bytes()

    class Hub(BaseHTTPRequestHandler):
        asked: list[str] = []  # noqa: RUF012

        def do_GET(self, with_body=True):
            self.asked.append(self.path)
            *place, revision, file = self.path.split("?")[0].strip("/").split("/")
            error = None if place == ["owner", "garments", "resolve"] else "RepoNotFound"
            error = error or (None if revision in ("main", "v1") else "RevisionNotFound")
            error = error or (None if file == hub.WEIGHTS else "EntryNotFound")
            self.send_response(404 if error else 200)
            body = b"" if error else content
            headers = {"X-Error-Code": error} if error else {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
            for name, value in (headers | {"X-Repo-Commit": COMMIT, "Content-Length": len(body)}).items():
                self.send_header(name, str(value))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET(with_body=False)

        def log_message(self, *given):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Hub.asked
        server.shutdown()


def test_a_generator_of_the_hub_is_downloaded_once_and_read_as_a_file(server, command, tmp_path):
    address, asked = server
    env = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command("generate", "run=hf://owner/garments", "n_per_class=1", "output=hub.npz", env=env)
    command("generate", "run=garments", "n_per_class=1", "output=folder.npz")
    with np.load(tmp_path / "hub.npz") as of_hub, np.load(tmp_path / "folder.npz") as of_folder:
        assert np.array_equal(of_hub["images"], of_folder["images"])
    assert {path.rpartition("/")[2] for path in asked} == {hub.WEIGHTS}
    few = ("data=synthetic", "metric=[spectrum]", "metric/feature=[]", "n=20", "bootstrap_samples=0", "baselines=[]")
    command("evaluate", "run=hf://owner/garments@v1", *few, env=env)
    assert (tmp_path / "garments_evaluation" / "evaluation.json").is_file()
    offline = env | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    command("generate", "run=hf://owner/garments", "n_per_class=1", "output=again.npz", env=offline)
    empty = offline | {"HF_HOME": str(tmp_path / "empty")}
    for run, each in (("hf://owner/other", env), ("hf://owner/garments@v2", env), ("hf://owner/garments", empty)):
        *of_client, line = command("generate", f"run={run}", env=each, code=1).stderr.splitlines()
        assert line.startswith(f"error: {run}: model.safetensors cannot be downloaded (")
        assert not [text for text in of_client if text.startswith(("error", "Traceback"))]
