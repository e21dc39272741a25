import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.optimisation.schedules import learning_rate_at, temperature_at

SCHEDULES = ("linear", "cosine", "exponential", "constant")


@given(
    st.floats(-1, 2),
    st.floats(0.01, 100),
    st.floats(0.01, 100),
    st.sampled_from(SCHEDULES),
)
def test_temperature_is_above_zero_and_between_its_ends_at_every_moment(
    progress, start, end, schedule
):
    temperature = temperature_at(progress, start=start, end=end, schedule=schedule)
    assert temperature > 0
    assert min(start, end) * (1 - 1e-9) <= temperature <= max(start, end) * (1 + 1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES[:3])
def test_temperature_starts_and_ends_where_it_was_told(schedule):
    assert temperature_at(0, start=5.0, end=0.5, schedule=schedule) == pytest.approx(5.0)
    assert temperature_at(1, start=5.0, end=0.5, schedule=schedule) == pytest.approx(0.5)


def test_exponential_temperature_has_the_geometric_mean_in_the_middle():
    middle = temperature_at(0.5, start=8.0, end=0.5, schedule="exponential")
    assert middle == pytest.approx(math.sqrt(8.0 * 0.5))


def test_learning_rate_follows_torch_s_cosine_annealing():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=0.025)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50, eta_min=0.001)
    for step in range(50):
        ours = learning_rate_at(step / 50, start=0.025, end=0.001)
        assert ours == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-9)
        optimiser.step()
        schedule.step()


def test_poly_follows_torch_s_polynomial_rate():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=0.1)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimiser, total_iters=40, power=0.9)
    for step in range(40):
        ours = learning_rate_at(step / 40, start=0.1, end=0.0, schedule="poly")
        assert ours == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-9)
        optimiser.step()
        schedule.step()


@given(st.floats(-1, 2))
def test_constant_rate_never_moves(progress):
    assert learning_rate_at(progress, start=20.0, end=1.0, schedule="constant") == 20.0
