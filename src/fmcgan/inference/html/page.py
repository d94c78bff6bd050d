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
from fmcgan.data.classes import CLASS_NAMES
from fmcgan.inference.html.program import Program, trace_program
from fmcgan.inference.safetensors_file import DTYPES, Metadata, check_finite
from fmcgan.report.html import TEMPLATES, finalize, short

_OWN = Path(__file__).parent / "template"


def write_page(path: Path, network: nn.Module, about: Metadata, dtype: str = "float32") -> None:
    """Writes the page atomically.

    Args:
        path: the file; its folder is created.
        network: a generator that `trace_program` accepts.
        about: its metadata, as in `fmcgan.inference.safetensors_file`.
        dtype: of the weights: ``float32``, or ``float16`` for half the size.

    Raises:
        UserError: an operation is not supported, a weight is out of range, or the file cannot be written.
    """
    text = render_page(trace_program(network), about, dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    run_dir.write_atomically(path, text)


def render_page(program: Program, about: Metadata, dtype: str = "float32") -> str:
    """Returns the page as text. Takes the arguments of `write_page`, with the generator as a `Program`."""
    names = list(program.tensors)
    stored = [program.tensors[name].flatten().to(DTYPES[dtype]) for name in names]
    check_finite(dict(zip(names, stored, strict=True)), dtype)
    firsts = accumulate([len(value) for value in stored], initial=0)
    described = {
        "latent_dim": program.latent_dim,
        "dtype": dtype,
        "output": program.output,
        "steps": program.steps,
        "tensors": {
            name: {"shape": list(program.tensors[name].shape), "first": first}
            for name, first in zip(names, firsts, strict=False)
        },
    }
    weights = base64.b64encode(torch.cat(stored).numpy().astype(f"<f{stored[0].element_size()}").tobytes()).decode()
    environment = Environment(
        loader=FileSystemLoader([_OWN, TEMPLATES]),
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("generator.html.j2").render(
        program=_script_json(described),
        weights=weights,
        classes=CLASS_NAMES,
        facts=_facts(program, about),
        style=Markup(
            (TEMPLATES / "style.css").read_text(encoding="utf-8") + (_OWN / "page.css").read_text(encoding="utf-8")
        ),
        script=Markup(
            (_OWN / "program.js").read_text(encoding="utf-8") + (_OWN / "page.js").read_text(encoding="utf-8")
        ),
    )


def _script_json(value: object) -> Markup:
    """Returns JSON that cannot end the script element."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def _facts(program: Program, about: Metadata) -> dict[str, str]:
    facts = {"made by": str(about["command"])} if about.get("command") else {}
    facts["images seen in training"] = f"{about['images_seen']:,}"
    facts["numbers in the page"] = f"{sum(value.numel() for value in program.tensors.values()):,}"
    for scores in about.get("scores", {}).values():
        for name, score in scores.items():
            real = "" if score["real"] is None else f" (real data {short(score['real'])})"
            facts[name] = f"{short(score['value'])}{real}"
    return facts
