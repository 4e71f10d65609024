import pytest

from clustering_assets.clustering.colour_words import colour_word


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ("#000000", "black"),
        ("#ffffff", "white"),
        ("#808080", "grey"),
        ("#ff0000", "red"),
        ("#f08010", "orange"),
        ("#f0e010", "yellow"),
        ("#20a030", "green"),
        ("#2040e0", "blue"),
        ("#704010", "brown"),
        ("#f0e0c0", "beige"),
        ("#e060a0", "pink"),
    ],
)
def test_a_colour_has_a_plain_word(colour, word):
    assert colour_word(colour) == word
