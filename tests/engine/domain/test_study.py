import pytest

from engine.domain.errors import InvalidConfig
from engine.domain.study import read_study

GOOD = """
name = "M and chance"
preset = "digits"
seeds = [3, 1]
baseline = "random"

[shared]
epochs = 6
alpha_learning_rate = 0.02

[[configuration]]
name = "M = 2"
settings = { draws = 2 }

[[configuration]]
name = "random"
preset = "random"
settings = { candidates = 2 }
"""


def refusal_of(text: str, **options: object) -> str:
    with pytest.raises(InvalidConfig) as refusal:
        read_study(text, **options)
    return str(refusal.value)


def test_presets_shared_and_own_settings_are_laid_over_each_other():
    study = read_study(GOOD)
    first, second = (one.config for one in study.configurations)
    assert (first.data, first.channels, first.epochs) == ("digits", 8, 6)
    assert (first.draws, first.alpha_learning_rate, first.method) == (2, 0.02, "egs")
    assert (second.channels, second.method, second.candidates) == (8, "random", 2)
    assert (study.baseline, study.compare, study.truth) == ("random", ("child",), None)


def test_trials_go_seed_by_seed_and_have_names_of_their_own():
    trials = read_study(GOOD).trials
    assert [trial.run_name for trial in trials] == [
        "M and chance / M = 2 / seed 3",
        "M and chance / random / seed 3",
        "M and chance / M = 2 / seed 1",
        "M and chance / random / seed 1",
    ]
    assert [trial.config.seed for trial in trials] == [3, 3, 1, 1]


def test_changes_from_the_command_line_count_last_and_for_all():
    study = read_study(GOOD, changes={"epochs": "4", "draws": "3"})
    assert [(one.config.epochs, one.config.draws) for one in study.configurations] == [
        (4, 3),
        (4, 3),
    ]


def test_a_table_of_published_accuracies_is_what_is_compared_by_default():
    with_truth = 'truth = "table.npz"' + GOOD
    assert read_study(with_truth).compare == ("truth",)
    assert read_study(GOOD, truth="other.npz").truth == "other.npz"
    several = GOOD.replace("seeds", 'compare = ["gap", "child"]\nseeds', 1)
    assert read_study(several).compare == ("gap", "child")


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "seeds = [3, 1]",
            "seed = [3, 1]",
            "Asked for 'seed' in a study; found no such key; allowed is one of name, preset, "
            "seeds, baseline, compare, truth, shared, configuration; correct its name.",
        ),
        (
            "seeds = [3, 1]",
            "",
            "Asked for the seeds of a study; found none; allowed is different whole numbers from "
            "0 to 2147483647; write for instance seeds = [0, 1, 2].",
        ),
        (
            'baseline = "random"',
            'baseline = "chance"',
            "Asked for the baseline 'chance'; found no configuration of that name; allowed is one "
            "of 'M = 2', 'random'; choose one of these.",
        ),
        (
            'name = "M = 2"',
            'name = "random"',
            "Asked for the configuration 'random'; found several of that name; allowed is a name "
            "of its own for each; rename one of them.",
        ),
        (
            "settings = { draws = 2 }",
            "settings = { draws = 2 }\nseeds = [5]",
            "Asked for own seeds for the configuration 'M = 2'; found that configurations are "
            "compared seed by seed; allowed is the same seeds for all of them, in the study; "
            "remove them there.",
        ),
        (
            "draws = 2",
            "seed = 2",
            "Asked for the setting 'seed' of the configuration 'M = 2'; found that the seeds of a "
            "study are the same for all its configurations; allowed is seeds = [0, 1, 2] in the "
            "study; remove it there.",
        ),
        (
            "draws = 2",
            'data = "cifar10"',
            "Asked for a comparison of 'M = 2' with 'random'; found data = 'cifar10' and "
            "'digits'; allowed is the same data in all configurations; make two studies of it.",
        ),
        (
            "draws = 2",
            "draws = 99",
            "Asked for draws = 99 of the configuration 'M = 2'; found input should be less than "
            "or equal to 32; allowed is int and at least 1 and at most 32; choose another value "
            "of draws.",
        ),
    ],
)
def test_a_fault_is_one_sentence(before, after, sentence):
    assert refusal_of(GOOD.replace(before, after, 1)) == sentence


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ("[3, 1]", "[3, 3]", "found [3, 3]; allowed is different whole numbers"),
        ("[3, 1]", "[-1]", "found [-1]"),
        ("[3, 1]", "[true]", "found [True]"),
        ("[3, 1]", "[2147483648]", "from 0 to 2147483647"),
        ("[3, 1]", '"3"', "found '3'"),
        ("draws = 2", "draw = 2", "the setting 'draw' of the configuration 'M = 2'"),
        ("epochs = 6", "epochs = 1", "candidates is above epochs"),
        ("epochs = 6", "seed = 6", "the setting 'seed' in [shared]"),
        ("draws = 2 }", "draws = 2, test_fraction = 0.5 }", "the same test_fraction in all"),
        ("[shared]", "[shard]", "'shard' in a study; found no such key"),
        ('preset = "digits"', 'preset = "digit"', "the preset 'digit'"),
        ('preset = "digits"', "preset = 3", "the preset of the study; found 3"),
        ('preset = "random"', 'preset = "topics"', "found several of the same kind"),
        ('name = "M = 2"', "", "the name of a configuration; found none"),
        ('name = "M = 2"', 'name = "a / b"', "without ' / ' in it"),
        ('name = "M and chance"', f'name = "{"x" * 51}"', "at most 50 characters"),
        ('name = "M and chance"', 'name = " M"', "the name of the study; found ' M'"),
        ("{ draws = 2 }", "7", "the settings of the configuration 'M = 2'; found 7"),
        ('name = "M and chance"', "name = ", "a study in TOML; found that it cannot be read"),
        ("seeds", 'compare = "speed"\nseeds', "a comparison by 'speed'; found no such measure"),
        ("seeds", "compare = 7\nseeds", "a comparison by 7; found no such measure"),
        ("seeds", 'compare = "truth"\nseeds', "found no table of published accuracies"),
        ("seeds", "truth = 1\nseeds", "the table of published accuracies 1"),
    ],
)
def test_every_other_fault_names_the_place(before, after, part):
    sentence = refusal_of(GOOD.replace(before, after, 1))
    assert part in sentence
    assert "\n" not in sentence


def test_a_study_without_configurations_is_refused():
    head = GOOD.split("[[configuration]]", maxsplit=1)[0]
    assert "one [[configuration]] or more" in refusal_of(head)
    listed = 'configuration = ["x"]\n' + head
    assert "a configuration = 'x'; found no table" in refusal_of(listed)


def test_a_seed_for_all_from_the_command_line_is_refused():
    assert "the setting 'seed' on the command line" in refusal_of(GOOD, changes={"seed": "3"})
