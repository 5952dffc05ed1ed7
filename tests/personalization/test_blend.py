"""A blend pleases a group by the rule that was chosen, and tells each member how well it suits them."""

from __future__ import annotations

import numpy as np
import pytest

from personalization.blend import blend
from personalization.population import PopulationModel
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import RULES, Request, RequestError
from personalization.statements import recognise
from personalization.taste import Taste


def fan_of(*directions: float) -> Taste:
    taste = Taste.start(PopulationModel.with_weights(np.zeros(2), 3.0))
    for _ in range(12):
        taste.update(np.array(directions), 5).update(-np.array(directions), 1)
    return taste


#            first's, second's, a compromise, neither's
PIECES = np.array([[1.0, -1.0], [-1.0, 1.0], [0.4, 0.4], [-1.0, -1.0]])


def test_least_misery_takes_the_compromise_and_the_mean_does_not_mind():
    majority = blend([fan_of(1, 0), fan_of(1, 0), fan_of(1, 0), fan_of(0, 1)], PIECES)
    assert majority.values("mean").argmax() == 0
    assert majority.values("least misery").argmax() == 2
    assert majority.values("fair mean")[0] < majority.values("mean")[0], "differing costs"


def test_match_is_in_percent_and_the_favourite_is_a_hundred():
    both = blend([fan_of(1, 0), fan_of(0, 1)], PIECES)
    assert both.match(0)[0] == 100
    assert both.match(0)[1] < 20
    assert all(50 < share < 100 for share in both.match(2))
    assert all(0 <= share <= 100 for piece in range(4) for share in both.match(piece))


def test_who_rates_kindly_counts_no_more():
    kind, strict = fan_of(1, 0), fan_of(0, 1)
    for _ in range(20):
        kind.update(np.zeros(2), 5)
        strict.update(np.zeros(2), 1)
    values = blend([kind, strict], PIECES).values("mean")
    assert abs(values[0] - values[1]) < 0.1


def test_a_stranger_is_content_with_anything():
    stranger = Taste.start(PopulationModel.with_weights(np.zeros(2), 3.0))
    assert blend([stranger, fan_of(1, 0)], PIECES).match(1)[0] == 100


@pytest.mark.parametrize("members", [0, 1, 11])
def test_groups_of_two_to_ten(members):
    with pytest.raises(ValueError, match="2 to 10"):
        blend([fan_of(1, 0)] * members, PIECES)
    assert {rule: blend([fan_of(1, 0)] * 10, PIECES).values(rule).shape for rule in RULES}


def test_a_piece_for_two_says_how_well_it_suits_each():
    friends = [
        Profile(name, statements=(recognise(style, liked=True),)) for name, style in (("ann", "jazz"), ("bo", "house"))
    ]
    request = Request("energetic", blend_with=("bo",), blend_rule="least misery")
    proposals = [propose(request, friends[0], seed=seed, others=friends[1:]) for seed in range(12)]
    assert any("suits ann" in reason and "bo" in reason and "%" in reason for reason in proposals[0].why)
    assert proposals[0].ranker["bias"] == pytest.approx(proposals[1].ranker["bias"])
    alone = [propose(Request("energetic"), friends[0], seed=seed).brief.style for seed in range(12)]
    together = [proposal.brief.style for proposal in proposals]
    assert together.count("jazz") <= alone.count("jazz")
    with pytest.raises(RequestError, match="at most 10"):
        Request("chill", blend_with=tuple("abcdefghijk"))
