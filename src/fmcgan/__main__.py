"""``python -m fmcgan``: lists the commands."""

import yaml

from fmcgan.app.config_dir import config_dir


def main() -> None:
    """Prints the first line of the help of every command."""
    lines = []
    for file in sorted(config_dir().glob("*.yaml")):
        template = yaml.safe_load(file.read_text(encoding="utf-8"))["hydra"]["help"]["template"]
        lines.append(f"  python -m {template.partition(chr(10))[0]}")
    print("\n".join(["Commands (--help shows the options of each):", *lines]))  # noqa: T201


if __name__ == "__main__":
    main()
