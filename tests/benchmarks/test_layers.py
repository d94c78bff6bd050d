import torch

from benchmarks.layers import measure, upsampling_layers


def test_the_ways_that_claim_so_compute_the_same_map():
    maps = torch.randn(2, 6, 5, 5).to(memory_format=torch.channels_last)
    found = upsampling_layers(6, 3)
    expected = found["transposed convolution 4 x 4"][1](maps)
    assert expected.shape == (2, 3, 10, 10)
    for name, (relation, way) in found.items():
        assert way(maps).shape == expected.shape, name
        assert torch.allclose(way(maps), expected, atol=1e-5) == (relation != "alternative"), name
    assert [relation for relation, _ in found.values()].count("equivalent") == 2


def test_rows(tiny):
    rows = measure(tiny())
    assert len(rows) == 12
    assert all(row["fp32 ms"]["median"] > 0 for row in rows)
