"""Tables of searches judged by what they found, from rows made by hand."""

from benchmarks.search_tables import found_cells, older_input


def trained(candidate, seed, accuracy, parameters=20_000):
    return {
        "data": "cifar10",
        "candidate": candidate,
        "seed": seed,
        "what": "training",
        "test_accuracy": accuracy,
        "parameters": parameters,
    }


def searched(candidate, seed, last):
    return {
        "data": "cifar10",
        "candidate": candidate,
        "seed": seed,
        "what": "search",
        "entropy": 0.5,
        "cpu_seconds": 100.0,
        "shares": [{"normal": [0.3, 0.3, 0.4]}, {"normal": [0.4, 0.3, 0.3]}, {"normal": last}],
    }


def rows_of_two_ways():
    rows = []
    for seed in range(3):
        rows += [
            searched("plain", seed, [0.8, 0.1, 0.1]),
            trained("plain", seed, 50.0 + seed),
            searched("sound", seed, [0.5, 0.25, 0.25]),
            trained("sound", seed, 54.0 + seed),
            trained("random like plain", seed, 52.0 + seed),
        ]
    return rows


def test_ways_stand_in_order_of_what_they_found_with_mean_and_spread():
    (text,) = found_cells(rows_of_two_ways(), "raw/found_cells.json")
    lines = text.splitlines()
    order = [line.split(" |")[0] for line in lines if "± 1.00 %" in line]
    assert order == ["| sound", "| random like plain", "| plain"]
    assert "| sound | 3 | 55.00 ± 1.00 % | 20.0 ± 0.0 k | 100 ± 0 CPU s | 0.50 |" in lines
    assert "| random like plain | 3 | 53.00 ± 1.00 % | 20.0 ± 0.0 k | – | – |" in lines


def test_shares_are_means_over_seeds_at_three_moments():
    (text,) = found_cells(rows_of_two_ways(), "raw/found_cells.json")
    assert "| plain | 0.30/0.30/0.40 → 0.40/0.30/0.30 → 0.80/0.10/0.10 |" in text.splitlines()


def test_a_way_is_compared_with_random_cells_of_its_own_size_and_with_the_start():
    rows = rows_of_two_ways()
    rows += [trained("random like sound", seed, 53.0 + seed + seed % 2) for seed in range(3)]
    (text,) = found_cells(rows, "raw/found_cells.json")
    plain, sound, to_start = [line for line in text.splitlines() if line.startswith("* ")]
    assert plain.startswith("* plain: -2.00 points against random sound cells")
    assert plain.endswith("3 seeds, not testable")
    assert sound.startswith("* sound: +0.67 points against random sound cells")
    assert sound.endswith("3 seeds, p = 0.367")
    assert to_start == "* plain: -4.00 points against *sound*, 3 seeds, not testable"


def test_effects_are_means_over_seeds_by_input():
    def row(seed, value):
        return {
            "surroundings": "every row drawn",
            "seed": seed,
            "effects": [
                {"how": "switched on", "kind": "normal", "source": "c_{k-2}", "mean": value},
                {"how": "first order", "kind": "normal", "source": "c_{k-2}", "mean": -1.0},
            ],
            "noise": [{"cell": 1, "kind": "normal", "source": "c_{k-1}", "noise": value}],
        }

    (text,) = older_input([row(0, 0.25), row(1, 0.75)], "raw/older_input.json")
    lines = text.splitlines()
    assert "| every row drawn | normal | c_{k-2} | +0.500 | -1.000 |" in lines
    assert "| every row drawn | c_{k-1} | 0.50 |" in lines
