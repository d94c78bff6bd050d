"""Writes a generator as one HTML page, which generates images in a browser without a server."""

import base64
import json
from itertools import accumulate
from pathlib import Path

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from torch import nn

from fmcgan.app import run_dir
from fmcgan.data.info import DatasetInfo
from fmcgan.inference.html.program import Program, trace_program
from fmcgan.inference.safetensors_file import DTYPES, Metadata, check_finite
from fmcgan.report.html import TEMPLATES, finalize, short
from fmcgan.training.truncation import BEST, LOWEST

_OWN = Path(__file__).parent / "template"
_MOST_ROWS = 20  # classes shown at once; with more of them, a list chooses one


def write_page(path: Path, network: nn.Module, info: DatasetInfo, about: Metadata, dtype: str = "float32") -> None:
    """Writes the page of a generator that `trace_program` accepts, atomically; creates the folder.

    Weights are ``float32``, or ``float16`` for half the size. Raises `UserError` if an operation is not supported, a
    weight is out of range, or the file cannot be written.
    """
    text = render_page(trace_program(network), info, about, dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, text)


def render_page(program: Program, info: DatasetInfo, about: Metadata, dtype: str = "float32") -> str:
    """Returns the page as text; ``info`` has classes and shape of the images."""
    stored = {name: value.flatten().to(DTYPES[dtype]) for name, value in program.tensors.items()}
    check_finite(stored, dtype)
    firsts = accumulate(map(len, stored.values()), initial=0)
    described = {
        **{"latent_dim": program.latent_dim, "dtype": dtype, "output": program.output, "steps": program.steps},
        **{"classes": info.class_names, "channels": info.channels, "size": info.size, "most_rows": _MOST_ROWS},
        "tensors": {
            name: {"shape": list(program.tensors[name].shape), "first": first}
            for name, first in zip(stored, firsts, strict=False)
        },
    }
    weights = torch.cat(list(stored.values()))
    little_endian = weights.numpy().astype(f"<f{weights.element_size()}").tobytes()
    environment = Environment(
        loader=FileSystemLoader([_OWN, TEMPLATES]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("generator.html.j2").render(
        # No text can end the script element.
        program=Markup(json.dumps(described, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")),
        weights=base64.b64encode(little_endian).decode(),
        classes=info.class_names,
        most_rows=_MOST_ROWS,
        lowest=LOWEST,
        best=BEST if program.has_means else None,
        facts=_facts(program, about),
        style=_trusted(TEMPLATES / "style.css", _OWN / "page.css"),
        script=_trusted(_OWN / "program.js", _OWN / "page.js"),
    )


def _trusted(*paths: Path) -> Markup:
    """Joins files of the package, whose text is not escaped."""
    return Markup("".join(path.read_text(encoding="utf-8") for path in paths))


def _facts(program: Program, about: Metadata) -> dict[str, str]:
    facts = {"made by": str(about["command"])} if about.get("command") else {}
    facts["images seen in training"] = f"{about['images_seen']:,}"
    facts["numbers in the page"] = f"{sum(value.numel() for value in program.tensors.values()):,}"
    for scores in about.get("scores", {}).values():
        for name, score in scores.items():
            real = "" if score["real"] is None else f" (real data {short(score['real'])})"
            facts[name] = f"{short(score['value'])}{real}"
    return facts
