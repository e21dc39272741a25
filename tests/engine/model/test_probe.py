import pytest
import torch

from engine.model.probe import Probe
from engine.spaces import SPACES

DARTS = SPACES["darts"]


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.25, 0.2, 0.3])
def test_probing_steps_come_in_their_share_and_weigh_its_inverse(fraction):
    probes = [Probe.at_step(step, fraction) for step in range(1_000)]
    weights = [probe.weight for probe in probes if probe is not None]
    assert set(weights) == {1 / fraction}
    assert sum(weights) == pytest.approx(1_000, abs=1 / fraction)


def test_a_quarter_of_the_steps_is_every_fourth():
    assert [s for s in range(12) if Probe.at_step(s, 0.25)] == [3, 7, 11]


def test_each_operation_is_probed_with_its_probability_and_weighted_by_the_inverse():
    count, fraction = 200, 0.3
    generator = torch.Generator().manual_seed(0)
    probes = [Probe.operations(fraction, DARTS, generator) for _ in range(count)]
    assert {probe.weight for probe in probes} == {1 / fraction}
    hits = torch.tensor([probe.chosen["normal"] for probe in probes]).double().mean(0)
    assert hits.shape == (14, 8)
    assert (hits - fraction).abs().max() < 5 * (fraction * (1 - fraction) / count) ** 0.5


def test_the_same_generator_probes_the_same_operations():
    one, two = (Probe.operations(0.5, DARTS, torch.Generator().manual_seed(3)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("fraction", "batch", "images"), [(1.0, 64, 64), (0.25, 64, 16), (0.01, 64, 2), (0.5, 1, 1)]
)
def test_a_part_of_the_batch_holds_its_share_but_two_images_at_least(fraction, batch, images):
    assert Probe.batch(fraction).images(batch) == images


def test_a_part_of_the_streams_goes_on_at_the_front_and_asks_all_of_them_alike():
    assert Probe.batch(0.5, start=0.75).streams(4) == [3, 0]
    assert Probe.batch(1.0, start=0.75).streams(4) == slice(None)
    starts = [number / 40 for number in range(40)]
    asked = [stream for start in starts for stream in Probe.batch(0.25, start=start).streams(8)]
    assert {asked.count(stream) for stream in range(8)} == {10}


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_out_of_bounds_is_refused(fraction):
    sentence = f"the probe's share is {fraction}; it must be above 0 and at most 1"
    generator = torch.Generator()
    for make in (
        lambda: Probe.batch(fraction),
        lambda: Probe.at_step(0, fraction),
        lambda: Probe.operations(fraction, DARTS, generator),
    ):
        with pytest.raises(ValueError, match=sentence):
            make()
