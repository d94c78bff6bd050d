import json

from study.membership import table


def test_a_line_for_each_run(tmp_path):
    aucs = {"discriminator": 0.75, "nearest_sample": 0.5, "inversion": 1.0}
    values = {name: {"auc": auc, "interval": [auc - 0.125, 1.0], "images": 20} for name, auc in aucs.items()}
    runs = [tmp_path / name for name in ("short", "long")]
    for run in runs:
        (run / "membership").mkdir(parents=True)
        content = json.dumps({"values": {"membership": values}})
        (run / "membership" / "findings.json").write_text(content, encoding="utf-8")
    _, _, *lines = table(runs).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    expected = ["75.0 % [62.5, 100.0]", "50.0 % [37.5, 100.0]", "100.0 % [87.5, 100.0]"]
    assert cells == [["short", *expected], ["long", *expected]]
