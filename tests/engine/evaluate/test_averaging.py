import torch

from engine.optimisation.averaging import WeightAverage, stops_improving


def test_the_average_is_the_mean_of_all_weights_that_it_was_shown():
    shown = torch.randn(7, 3, 2, generator=torch.Generator().manual_seed(0))
    average = WeightAverage({"w": shown[0]})
    for weights in shown[1:]:
        average.add({"w": weights})
    assert average.count == 7
    torch.testing.assert_close(average.mean["w"], shown.mean(0))


def test_the_average_is_that_of_torchs_own_averaging_optimiser():
    """torch.optim.ASGD without decay takes the same steps and counts from the second on."""
    weight = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimiser = torch.optim.ASGD([weight], lr=0.1, lambd=0.0, t0=0.0, weight_decay=0.0)
    average = None
    for step in range(6):
        optimiser.zero_grad()
        (weight**4).sum().mul(0.1).backward()
        optimiser.step()
        if step == 1:
            average = WeightAverage({"w": weight})
        elif average is not None:
            average.add({"w": weight})
    assert average is not None
    torch.testing.assert_close(average.mean["w"], optimiser.state[weight]["ax"])


def test_the_first_weights_are_copied():
    weight = torch.zeros(2)
    average = WeightAverage({"w": weight})
    weight += 1
    assert average.mean["w"].tolist() == [0.0, 0.0]


def test_losses_stop_improving_as_in_the_non_monotone_trigger():
    """Fires where the last loss is above the best one before the last n (AWD-LSTM)."""
    falling = [5.0, 4.0, 3.0, 2.0, 1.0]
    assert not any(stops_improving(falling[:n], 2) for n in range(1, 6))
    assert not stops_improving([1.0, 2.0, 3.0], 2)
    assert stops_improving([1.0, 2.0, 3.0, 1.5], 2)
    assert not stops_improving([4.0, 1.0, 1.5, 1.2], 2)
    assert stops_improving([4.0, 1.0, 1.5, 1.2, 1.1], 2)


def test_the_trigger_is_that_of_the_published_code():
    """Against the condition as AWD-LSTM's main.py has it, on every prefix of random losses."""
    losses = torch.rand(60, generator=torch.Generator().manual_seed(1)).tolist()
    for patience in (1, 5):
        best_val_loss: list[float] = []
        for count, loss in enumerate(losses, start=1):
            published = len(best_val_loss) > patience and loss > min(best_val_loss[:-patience])
            assert stops_improving(losses[:count], patience) == published
            best_val_loss.append(loss)
