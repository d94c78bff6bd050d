"""``python -m benchmarks``: measures speed and memory and writes the tables of ``docs/performance.md``.

``python -m benchmarks gpu_check`` runs the checks of `benchmarks.gpu_check`.
"""

import argparse
import importlib
import logging
import sys
import time
from pathlib import Path

import torch

from benchmarks import machine, page
from benchmarks.setting import CHECKOUT, Setting
from fmcgan.app.checks import whole_number
from fmcgan.app.device import check_device
from fmcgan.app.error_messages import format_error
from fmcgan.app.errors import UserError

log = logging.getLogger("benchmarks.parts")

PARTS = {
    "training": "images/s of every network and precision: the ordinary loop, the bare loop, the whole program",
    "startup": "seconds from launch to the first training step and to the help text",
    "generation": "images/s of generate, compared with the forward pass alone",
    "evaluation": "seconds of the evaluation in training and of the evaluate command",
    "memory": "peak memory of training with the default recipe",
    "scaling": "images/s by batch size and width, cost of an epoch by the number of images",
    "floor": "the minimum time of a step on this machine, compared with training",
    "profile": "the most costly operations of a step",
    "layers": "milliseconds of several layers that double the size of a feature map",
}


def main() -> None:
    """Runs the benchmarks of the command line."""
    if sys.argv[1:2] == ["gpu_check"]:
        from benchmarks.gpu_check.__main__ import main as check

        check(sys.argv[2:])
    arguments = _arguments()
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level=logging.WARNING)
    logging.getLogger("benchmarks").setLevel(logging.INFO)
    try:
        setting = _setting(arguments)
        for part in PARTS if "all" in arguments.parts else arguments.parts:
            _measure(part, setting, arguments.output)
    except Exception as error:
        sys.exit(format_error(error))


def _measure(part: str, setting: Setting, output: Path) -> None:
    log.info("%s: %s", part, PARTS[part])
    start = time.perf_counter()
    origin = machine.record(setting)
    rows = importlib.import_module(f"benchmarks.{part}").measure(setting)
    measured = origin | {"seconds": round(time.perf_counter() - start, 1), "rows": rows}
    name = part if setting.device.type == "cpu" else f"{part}_{setting.device.type}"
    print(f"\n{page.write(output, name, measured)}\n", flush=True)  # noqa: T201
    log.info("%s took %.0f s; results are in %s", part, measured["seconds"], output)


def _arguments() -> argparse.Namespace:
    parts = "\n".join(f"  {name:11} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure speed and memory on this machine.\n\nparts:\n{parts}\n\n"
        "python -m benchmarks gpu_check: checks training and commands on a GPU; see its --help",
        epilog="Each part replaces its block of the page (PART, or PART_cuda on a GPU) and its entry of the JSON file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Setting(torch.device("cpu"))
    add = parser.add_argument
    add("parts", nargs="*", default="all", choices=["all", *PARTS], metavar="PART", help="what to measure (all)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda (%(default)s)")
    add("--networks", nargs="+", default=usual.networks, choices=usual.networks, help="for training and floor (all)")
    add("--precisions", nargs="+", default=usual.precisions, choices=usual.precisions, help="of most parts (both)")
    add("--batch-size", type=int, default=usual.batch_size, help="images in a batch (%(default)s)")
    add("--steps", type=int, help="training steps in one timed block, a multiple of 4 (4; on a GPU 100)")
    add("--seconds", type=float, default=usual.seconds, help="duration of each comparison (%(default)s)")
    add("--set", nargs="+", default=(), metavar="KEY=VALUE", help="change the configuration, such as network.width=8")
    add("--output", type=Path, default=CHECKOUT / "docs" / "performance.md", help="the page (docs/performance.md)")
    return parser.parse_args()


def _setting(arguments: argparse.Namespace) -> Setting:
    check_device(arguments.device)
    device = torch.device(arguments.device)
    steps = arguments.steps or (100 if device.type == "cuda" else 4)
    whole_number(**{"--batch-size": arguments.batch_size, "--steps": steps})
    if steps % 4:
        raise UserError(
            f"--steps must be a multiple of 4, so that each block has the same number of penalties, got {steps}"
        )
    networks, precisions = tuple(arguments.networks), tuple(arguments.precisions)
    return Setting(device, networks, precisions, arguments.batch_size, steps, arguments.seconds, tuple(arguments.set))


if __name__ == "__main__":
    main()
