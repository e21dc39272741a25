"""The list of runs in a terminal."""

import csv
import io


def names(said) -> list[str]:
    return [run["name"] for run in said.json]


def three(egs) -> None:
    for name, seed in (("beta", 2), ("alpha", 1), ("gamma", 3)):
        egs("search", "--preset", "digits", "--name", name, "--set", f"seed={seed}")
    egs("stop", "2")
    egs("label", "1", "--tag", "fast", "--tag", "odd", "--notes", "worth a look")
    egs("label", "3", "--archive")


def test_list_is_narrowed_and_ordered_as_on_the_page(egs):
    three(egs)
    assert names(egs("runs", "--json")) == ["alpha", "beta"]
    assert names(egs("runs", "--sort", "name", "--json")) == ["alpha", "beta"]
    assert names(egs("runs", "--sort", "-name", "--json")) == ["beta", "alpha"]
    assert names(egs("runs", "--tag", "fast", "--json")) == ["beta"]
    assert names(egs("runs", "--find", "LOOK", "--json")) == ["beta"]
    assert names(egs("runs", "--state", "stopped", "--state", "failed", "--json")) == ["alpha"]
    assert names(egs("runs", "--archived", "--json")) == ["gamma"]
    assert egs("runs", "--find", "nothing").out == "No run fits.\n"


def test_csv_has_one_line_a_run_with_all_settings(egs):
    three(egs)
    lines = list(csv.DictReader(io.StringIO(egs("runs", "--csv", "--sort", "number").out)))
    assert [(line["name"], line["setting_seed"]) for line in lines] == [
        ("beta", "2"),
        ("alpha", "1"),
    ]
    assert lines[0]["tags"] == "fast, odd"


def test_labels_are_added_removed_and_shown(egs):
    three(egs)
    said = egs("label", "1", "--no-tag", "odd", "--no-tag", "never")
    assert said.out == "Run 1 'beta' is queued\nTags: fast\nNotes: worth a look\n"
    assert egs("label", "3", "--unarchive", "--json").json["archived"] is False


def test_what_there_is_not_is_refused_in_one_sentence(egs):
    assert "no such state; allowed is one of queued" in egs("runs", "--state", "lost").err
    assert "no such column" in egs("runs", "--sort", "colour").err
    assert "at most 40 characters" in egs("label", "1", "--tag", "x" * 41).err or (
        "run 1" in egs("label", "1", "--tag", "x").err
    )
