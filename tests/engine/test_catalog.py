import pytest

from engine.catalog import gather_catalog
from engine.conversion.table import CONVERSIONS
from engine.domain.errors import InvalidConfig
from engine.export import EXPORTERS
from engine.operations.table import OPERATIONS
from engine.spaces import SPACES


def test_the_catalogue_holds_the_cards_of_all_four_tables_in_their_order():
    catalog = gather_catalog()
    assert [card.name for card in catalog.operations] == list(OPERATIONS)
    assert [space.name for space in catalog.spaces] == list(SPACES)
    assert [card.name for card in catalog.exporters] == [*EXPORTERS, *CONVERSIONS]
    assert [c.name for c in catalog.exporters if c.by_engine] == list(CONVERSIONS)
    assert "image_classification" in [card.name for card in catalog.tasks]


def test_no_short_label_is_longer_than_eight_characters():
    assert max(len(card.short) for card in gather_catalog().operations) <= 8


def test_an_operation_that_is_gone_still_has_a_card():
    card = gather_catalog().operation("sep_conv_11x11")
    assert (card.name, card.short, card.layers) == ("sep_conv_11x11", "sep_conv", ())


def test_an_unknown_format_is_refused_in_one_sentence():
    with pytest.raises(InvalidConfig) as refusal:
        gather_catalog().exporter("caffe")
    assert str(refusal.value) == (
        "Asked for the export format 'caffe'; found no such export format; allowed is one of "
        f"{', '.join([*EXPORTERS, *CONVERSIONS])}; choose one of these."
    )
