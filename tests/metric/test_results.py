from fmcgan.metric.baselines import BASELINES
from fmcgan.metric.results import as_text_table, short_name

RESULT = {
    "value": 1.23456,
    "interval": [1.1, 1.3],
    "baselines": {name: 100.0 + place for place, name in enumerate(BASELINES)},
    "better": "lower",
}


def test_the_table_of_the_terminal_fits_and_a_wider_one_has_more_baselines():
    long = "recall_k5_inception_pool3_10k_train"
    results = {long: RESULT, "fd": RESULT | {"baselines": {}, "interval": None, "better": "real"}}
    for columns in (40, 60, 80, 100, 160):
        lines = as_text_table(results, columns).splitlines()
        assert max(map(len, lines)) <= columns
        assert lines[0].split()[:3] == ["score", "samples", "real"]
    head, first, second = as_text_table(results, 80).splitlines()
    assert head.split() == ["score", "samples", "real", "better", "95", "%", "interval"]
    assert first.split() == [long, "1.235", "100", "lower", "1.1", "to", "1.3"]
    assert second.split() == ["fd", "1.235", "-", "real"]
    assert "training copies" in as_text_table(results, 160)


def test_without_real_images_among_the_baselines_none_takes_their_column():
    results = {"fd": RESULT | {"baselines": {"uniform_noise": 7.0}}}
    assert as_text_table(results, 80).splitlines()[1].split() == ["fd", "1.235", "-", "lower", "1.1", "to", "1.3", "7"]


def test_short_names_have_neither_number_nor_split():
    assert short_name("fd_classifier_10k_test", 10_000) == "fd_classifier"
    assert short_name("label_agreement_classifier_2500", 2500) == "label_agreement_classifier"
    assert short_name("my_own", 100) == "my_own"
