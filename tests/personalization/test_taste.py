"""The preference model: it learns, it explains truly, it is guarded, and only ratings teach it."""

from __future__ import annotations

import inspect
import json
import re
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.brief import STYLES, Attributes, Brief, Mood
from generator.render.instruments import INSTRUMENTS
from personalization import taste as taste_module
from personalization.describe import describe
from personalization.features import NAMES, SIZE, features
from personalization.listens import Source
from personalization.population import PopulationModel
from personalization.profile import ArtistPlays, ComparedTracks, Profile, RatedTrack
from personalization.propose import prior, propose, taste_of
from personalization.request import Request
from personalization.rerank import load_ranker, make_ranker
from personalization.signals import WORTH, SignalledTrack
from personalization.statements import Statement, recognise
from personalization.taste import Taste

CHILL = Mood(0.35, -0.5)


def attributes(style: str = "lofi", tempo: float = 80.0, **changes) -> Attributes:
    values = {
        "styles": ((style, 1.0),), "valence": 0.2, "arousal": -0.3, "tempo_bpm": tempo, "density": 0.4, "minor": 0.0,
        "acousticness": 0.5, "complexity": 0.5, "brightness": 0.5,
    }  # fmt: skip
    return Attributes(**(values | changes))


def rated(stars: int, style: str = "lofi", tempo: float = 80.0, title: str = "Piece", **changes) -> RatedTrack:
    return RatedTrack(f"t{title}{stars}{tempo}", title, attributes(style, tempo, **changes), CHILL, stars)


def test_ratings_move_the_prediction_and_shrink_the_doubt():
    taste = Taste.start(prior())
    liked = features(attributes("jazz", acousticness=0.95), CHILL)
    before, doubt = taste.predict(liked)
    for _ in range(3):
        taste.update(liked, 5)
    after, less = taste.predict(liked)
    assert after[0] > before[0] + 0.4
    assert less[0] < doubt[0]
    assert taste.predict(features(attributes("pop", 125.0), CHILL))[0][0] < after[0]


def test_a_listener_with_a_clear_taste_is_found_out_in_ten_ratings():
    rng = np.random.default_rng(4)
    truth = rng.normal(0, 0.5, 12)
    taste = Taste.start(PopulationModel.with_weights(np.zeros(12), 3.0))
    for _ in range(10):
        x = rng.normal(size=12)
        taste.update(x, float(np.clip(3 + x @ truth + rng.normal(0, 0.5), 1, 5)))
    pool = rng.normal(size=(300, 12))
    value = pool @ truth
    chosen = value[np.argsort(-taste.predict(pool)[0])[:20]].mean()
    assert chosen > 0.4 * np.sort(value)[-20:].mean()


def test_who_is_like_everybody_is_served_like_everybody_and_who_is_not_is_not():
    shared = np.r_[0.5, 0.3, np.zeros(10)]

    def says(truth_of) -> np.ndarray:
        found = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            truth = truth_of(rng)
            taste = Taste.start(PopulationModel.with_weights(shared, 3.0))
            for _ in range(40):
                x = rng.normal(size=12)
                taste.update(x, float(np.clip(np.round(3 + x @ truth + rng.normal(0, 0.7)), 1, 5)))
            found.append(taste.say)
        return np.mean(found, axis=0)

    at_first = Taste.start(PopulationModel.with_weights(shared, 3.0)).say[0]
    assert says(lambda _rng: shared)[0] > 1.5 * at_first
    different = says(lambda rng: rng.normal(0, 0.5, 12))
    assert different[0] < 0.05
    assert different[2] > 0.2, "what others like does not hold them back"


def test_dice_do_not_teach_the_others():
    rng = np.random.default_rng(6)
    who = np.repeat(np.arange(30), 30)
    x = rng.normal(size=(900, 5))
    y = np.clip(np.round(3 + x @ [0.9, -0.6, 0, 0, 0] + rng.normal(0, 0.6, 900)), 1, 5)
    dice = who < 3
    y[dice] = rng.integers(1, 6, int(dice.sum()))
    model = PopulationModel().fit(x, y, who)
    assert set(model.excluded) <= {0, 1, 2}
    assert model.excluded, "at least one of three was noticed"


def test_what_listeners_differ_in_is_learned_faster():
    """Everybody likes feature 0 alike, and feature 1 each in their own way."""
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(60), 20)
    x = rng.normal(size=(1200, 2))
    own = rng.normal(0, 0.8, 60)[who]
    model = PopulationModel().fit(x, np.clip(3 + 0.5 * x[:, 0] + own * x[:, 1] + rng.normal(0, 0.4, 1200), 1, 5), who)
    assert model.spread[1, 1] > 5 * model.spread[0, 0]
    taste = Taste.start(model)
    for value in (1.5, -1.5, 1.5):
        taste.update([value, value], 4.5 if value > 0 else 1.5)
    assert taste.residual[1] > 3 * abs(taste.residual[0])


def test_statements_move_the_start_and_judge_nobody():
    jazz = features(attributes("jazz"), CHILL)
    told = Taste.start(prior(), [(jazz, 4.5, 1.0)])
    assert told.predict(jazz)[0][0] > Taste.start(prior()).predict(jazz)[0][0] + 0.1
    assert told.say == pytest.approx(Taste.start(prior()).say)
    assert told.ratings == 0


def test_a_comparison_says_which_is_better():
    first, second = features(attributes("jazz"), CHILL), features(attributes("pop", 120.0), CHILL)
    taste = Taste.start(prior())
    before = np.subtract(*taste.predict(np.stack([first, second]))[0])
    taste.compare(first, second)
    assert np.subtract(*taste.predict(np.stack([first, second]))[0]) > before + 0.05


def test_the_population_learns_what_is_shared_and_not_who_is_kind():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(600, 5))
    who = np.repeat(np.arange(20), 30)
    kindness = rng.normal(0, 0.6, 20)[who]
    y = np.clip(3 + 0.5 * x[:, 0] + kindness + rng.normal(0, 0.4, 600), 1, 5)
    model = PopulationModel().fit(x, y, who)
    assert model.weights[0] == pytest.approx(0.45, abs=0.12)
    assert np.abs(model.weights[1:]).max() < 0.1
    assert PopulationModel.from_dict(json.loads(json.dumps(model.to_dict()))).predict(x[:3]) == pytest.approx(
        model.predict(x[:3])
    )


def _peaked(rng: np.random.Generator, size: int):
    """A crowd whose members each like a place of their own among the features, near one that most like."""
    around = rng.uniform(-0.6, 0.6, size)

    def listener():
        place = around + rng.normal(0, 0.5, size)
        return lambda x: 4.5 - ((x - place) ** 2).sum(axis=1) * 1.6 / size

    return listener


@pytest.mark.parametrize("size", [3, 8, 20, 50])
def test_a_favourite_place_among_plain_features_is_found_whatever_their_number_and_units(size):
    rng = np.random.default_rng(size)
    unit, zero = 10.0 ** rng.uniform(-3, 3, size), rng.normal(0, 50, size)
    listener = _peaked(rng, size)
    who, seen = np.repeat(np.arange(120), 20), rng.normal(size=(2400, size))
    given = [listener()(seen[who == number]) for number in range(120)]
    ratings = np.clip(np.round(np.concatenate(given) + rng.normal(0, 0.6, 2400)), 1, 5)
    model = PopulationModel().fit(seen * unit + zero, ratings, who)
    shared = own = 0.0
    for _ in range(25):
        likes, taste = listener(), Taste.start(model)
        for _ in range(10):
            pool = rng.normal(size=(60, size))
            chosen = int(taste.predict(pool * unit + zero)[0].argmax())
            taste.update(pool[chosen] * unit + zero, float(np.clip(np.round(likes(pool[[chosen]])[0]), 1, 5)))
        pool = rng.normal(size=(200, size))
        value = likes(pool)
        shared += value[model.predict(pool * unit + zero).argmax()] - value.mean()
        own += value[taste.predict(pool * unit + zero)[0].argmax()] - value.mean()
    assert shared > 0, "the crowd's place is found: a straight line would find none"
    assert own > 0.97 * shared, "and what a listener says of theirs does no harm"


def test_straight_listeners_are_not_given_curves():
    rng = np.random.default_rng(8)
    x, who = rng.normal(size=(1500, 4)), np.repeat(np.arange(75), 20)
    own = rng.normal(0, 0.4, (75, 4))[who]
    y = np.clip(3 + (x * (own + np.array([0.5, 0, 0, 0]))).sum(axis=1) + rng.normal(0, 0.6, 1500), 1, 5)
    assert PopulationModel().fit(x, y, who).basis.size == 4


def test_few_listeners_leave_more_doubt_about_the_next_one():
    rng = np.random.default_rng(9)
    x, who = rng.normal(size=(4000, 6)), np.repeat(np.arange(200), 20)
    y = np.clip(3 + x @ [0.4, 0.2, 0, 0, 0, 0] + rng.normal(0, 0.6, 4000), 1, 5)
    few, many = PopulationModel().fit(x[:200], y[:200], who[:200]), PopulationModel().fit(x, y, who)
    assert Taste.start(few).predict(x[:5])[1].mean() > 1.1 * Taste.start(many).predict(x[:5])[1].mean()


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_polynomial_that_travels_says_what_the_taste_says(size, seed):
    rng = np.random.default_rng(seed)
    x, who = rng.normal(3.0, 7.0, size=(160, size)), np.repeat(np.arange(8), 20)
    y = np.clip(3 - 0.02 * ((x - 3) ** 2).sum(axis=1) + rng.normal(0, 0.5, 160), 1, 5)
    taste = Taste.start(PopulationModel().fit(x, y, who)).update(x[0], 5.0).update(x[1], 1.0)
    slopes, curves, constant = taste.polynomial(size)
    assert x @ slopes + x**2 @ curves + constant == pytest.approx(taste.predict(x)[0])
    contributions = taste.explain(x[2])
    assert contributions.shape == (size,)
    back = Taste.from_dict(json.loads(json.dumps(taste.to_dict())))
    assert back.predict(x)[0] == pytest.approx(taste.predict(x)[0])


@pytest.mark.parametrize(
    ("x", "y", "who"), [(np.zeros((0, 2)), [], []), (np.zeros((2, 2)), [1], [1, 2]), ([[np.nan]], [3], [1])]
)
def test_bad_arrays_are_refused(x, y, who):
    with pytest.raises(ValueError, match=r".+"):
        PopulationModel().fit(x, y, who)


@given(st.integers(1, 8), st.data())
def test_any_number_of_features_and_a_state_that_survives_json(d, data):
    finite = st.floats(-2, 2)
    taste = Taste.start(PopulationModel.with_weights(np.zeros(d)))
    for _ in range(data.draw(st.integers(1, 5))):
        taste.update(data.draw(st.lists(finite, min_size=d, max_size=d)), data.draw(st.integers(1, 5)))
    back = Taste.from_dict(json.loads(json.dumps(taste.to_dict())))
    x = np.eye(d)
    np.testing.assert_allclose(back.predict(x), taste.predict(x))
    with pytest.raises(ValueError, match="features"):
        taste.update(np.zeros(d + 1), 3)


def test_reranking_on_the_other_side_scores_the_same():
    profile = Profile("a", ratings=(rated(5, "jazz", 70), rated(1, "pop", 130)))
    taste = taste_of(profile)
    takes = [attributes("jazz", 72), attributes("pop", 128)]
    scores = load_ranker(json.loads(json.dumps(make_ranker([taste], CHILL))))(takes)
    expected = taste.predict(np.stack([features(t, CHILL) for t in takes]))[0]
    assert scores == pytest.approx(list(expected), abs=1e-4)
    assert scores[0] > scores[1]


def test_the_same_request_gives_the_same_brief_and_a_rating_changes_it():
    empty = Profile("a")
    loves_slow = Profile("a", ratings=(rated(5, tempo=66, acousticness=0.9),))
    first = propose(Request("chill"), empty, seed=3)
    assert propose(Request("chill"), empty, seed=3) == first
    assert propose(Request("chill"), loves_slow, seed=3).brief != first.brief
    assert 0 < first.probability <= 1


def test_taste_pulls_where_the_ratings_point():
    pace = [rated(stars, tempo=tempo) for _ in range(5) for stars, tempo in ((5, 66), (1, 93))]
    sound = [rated(stars, acousticness=value) for _ in range(5) for stars, value in ((5, 0.95), (1, 0.05))]
    neutral = Profile("a")

    def mean(profile: Profile, name: str) -> float:
        briefs = [propose(Request("chill", ("lofi",)), profile, seed=i).brief for i in range(12)]
        return float(np.mean([getattr(brief, name) for brief in briefs]))

    assert mean(Profile("a", ratings=tuple(pace)), "tempo_bpm") < mean(neutral, "tempo_bpm") - 3
    assert mean(Profile("a", ratings=tuple(sound)), "acousticness") > mean(neutral, "acousticness") + 0.1


def test_history_chooses_the_style_when_none_is_asked():
    jazz = Profile("a", plays=(ArtistPlays("Bill Evans", (), 90, "spotify_export"),))
    styles = [propose(Request("romantic"), jazz, seed=i).brief.style for i in range(10)]
    assert styles.count("jazz") >= 7
    assert propose(Request("romantic pop"), jazz, seed=1).brief.style == "pop"


def test_what_is_asked_is_obeyed():
    brief = propose(Request("90 bpm jazz waltz in F minor, 45 seconds"), Profile("a"), seed=1).brief
    assert (brief.tempo_bpm, brief.style, brief.meter, brief.key, brief.length_s) == (90, "jazz", "3/4", "F minor", 45)
    over = propose(Request("chill", ("pop",), 120.0, "Bb major", "6/8", 30.0, 77), Profile("a"), seed=1).brief
    assert (over.tempo_bpm, over.style, over.key, over.meter, over.length_s, over.seed) == (
        120,
        "pop",
        "Bb major",
        "6/8",
        30,
        77,
    )


@pytest.mark.parametrize("style", STYLES)
def test_every_style_can_be_asked_for(style):
    assert propose(Request("energetic", (style,)), Profile("a"), seed=1).brief.style == style


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**40),
    stars=st.integers(1, 5),
    tempo=st.floats(60, 130),
    asked=st.sampled_from(["chill", "happy pop", "zonk"]),
)
def test_at_most_three_reasons_and_each_is_true(seed, stars, tempo, asked):
    plays = (ArtistPlays("Nujabes", (), 30, "spotify_export"),)
    proposal = propose(
        Request(asked), Profile("a", plays, (rated(stars, tempo=round(tempo), title="Blue Kettle"),)), seed=seed
    )
    assert 1 <= len(proposal.why) <= 3
    for reason in proposal.why:
        if "slower" in reason:
            assert proposal.brief.tempo_bpm <= round(tempo) - 10
        if "faster" in reason:
            assert proposal.brief.tempo_bpm >= round(tempo) + 10
        if "Blue Kettle" in reason:
            assert str(stars) in reason
        if "of the music you play" in reason:
            assert proposal.brief.style == "lofi"
    assert ("you asked for" in proposal.why[0]) == (asked != "zonk")


def test_the_taste_can_be_read_by_its_owner():
    view = describe(
        Profile(
            "a", (ArtistPlays("Nujabes", (), 30, "x"),), tuple(rated(5, "jazz", 70, title=str(i)) for i in range(4))
        )
    )
    names = [name for name, _, _ in view.styles]
    assert "lo-fi" in names
    assert "jazz" in names
    assert (view.listens, view.ratings) == (30, 4)
    assert describe(Profile("b")).styles == ()


def test_listening_history_never_reaches_the_posterior():
    """Policy: plays choose where to start, only ratings of our own pieces train anything."""
    plays = tuple(ArtistPlays(f"Artist {i}", ("jazz",), 500, "spotify_export") for i in range(50))
    with_history, without = taste_of(Profile("a", plays, (rated(4),))), taste_of(Profile("a", (), (rated(4),)))
    assert with_history.to_dict() == without.to_dict()
    assert "plays" not in inspect.getsource(taste_of)
    assert "listens" not in inspect.getsource(taste_module)
    assert list(inspect.signature(Taste.update).parameters) == ["self", "features", "rating", "noise"]


def test_what_listeners_say_leans_the_taste_and_ratings_outweigh_it():
    def lean(name: str, *statements: Statement, ratings: tuple[RatedTrack, ...] = ()) -> float:
        return float(dict(zip(NAMES, taste_of(Profile("a", (), ratings, statements)).residual, strict=True))[name])

    jazz = recognise("Jazz", liked=True)
    assert (jazz.kind, recognise("Bill Evans", liked=True).kind, recognise("slow", liked=True).kind) == (
        "style", "artist", "attribute",
    )  # fmt: skip
    assert lean("style:jazz", jazz) > 0.005
    assert lean("style:jazz", recognise("Bill Evans", liked=False)) < -0.005
    assert lean("tempo", recognise("slow", liked=True)) < -0.02
    assert lean("tempo", recognise("slow", liked=False)) > 0.02
    assert lean("style:jazz", recognise("zeuhl-ish nonsense", liked=True)) == 0
    hated = tuple(rated(1, "jazz") for _ in range(5))
    assert lean("style:jazz", jazz, ratings=hated) < 0
    view = describe(Profile("a", statements=(jazz, recognise("Nobody", liked=False))))
    assert view.statements == (("jazz", True, True), ("Nobody", False, False))
    assert "2 things you said" in view.basis


@pytest.mark.parametrize("source", [source for source in Source if source is not Source.SELF])
def test_only_ones_own_words_are_statements(source):
    """Policy: what Spotify, or any service, answers can never reach the posterior."""
    with pytest.raises(ValueError, match="no statement"):
        Statement("artist", "Bill Evans", liked=True, source=source)


def test_the_posterior_takes_ratings_and_statements_and_nothing_else():
    kinds = get_type_hints(Profile)
    assert kinds["ratings"] == tuple[RatedTrack, ...]
    assert kinds["statements"] == tuple[Statement, ...]
    used = set(re.findall(r"profile\.(\w+)", inspect.getsource(taste_of)))
    assert kinds["signals"] == tuple[SignalledTrack, ...]
    assert kinds["comparisons"] == tuple[ComparedTracks, ...]
    assert used == {"prior", "ratings", "comparisons", "statements", "signals"}


def test_features_have_their_documented_size():
    assert features(attributes(), CHILL).shape == (SIZE,)
    assert isinstance(propose(Request("chill"), Profile("a"), seed=0).brief, Brief)


def _styles_served(*said: tuple[str, bool], text: str = "chill", **known) -> list[str]:
    profile = Profile("a", statements=tuple(recognise(what, liked=liked) for what, liked in said), **known)
    return [propose(Request(text), profile, seed=seed).brief.style for seed in range(40)]


def test_a_statement_leans_and_does_not_take_over():
    before, after = _styles_served(), _styles_served(("jazz", True))
    assert after.count("jazz") >= before.count("jazz") + 3
    assert after.count("jazz") <= 25
    assert abs(after.count("bossa") - before.count("bossa")) <= 10, "a style is liked, not all that resembles it"
    disliked = _styles_served(("bossa nova", False))
    assert disliked.count("bossa") < max(1, before.count("bossa"))


def test_what_was_said_of_instruments_holds_until_a_text_says_otherwise():
    said = (recognise("drums", liked=False), recognise("banjo", liked=True))
    profile = Profile("a", statements=said)
    assert [row[2] for row in describe(profile).statements] == [True, True]

    def briefs(text: str) -> list[Brief]:
        return [propose(Request(text), profile, seed=seed).brief for seed in range(20)]

    chill = briefs("chill")
    kits = {name for name, instrument in INSTRUMENTS.items() if instrument.kit}
    assert all(kits <= set(brief.instruments_unwanted) for brief in chill)
    assert 5 <= sum("banjo" in brief.instruments_wanted for brief in chill) <= 15, "not every piece is for the banjo"
    assert not any("drum_kit" in brief.instruments_unwanted for brief in briefs("chill with drums"))
    assert not any("banjo" in brief.instruments_wanted for brief in briefs("chill, no banjo"))


def test_nobody_is_served_one_style_for_ever():
    bubble = Profile("a", recent_styles=("lofi",) * 12)
    proposals = [propose(Request("chill"), bubble, seed=seed) for seed in range(10)]
    assert all(proposal.brief.style != "lofi" for proposal in proposals)
    assert all("your last 12 pieces were all lo-fi" in " ".join(proposal.why) for proposal in proposals)
    assert propose(Request("lofi"), bubble, seed=1).brief.style == "lofi", "what is asked for is made"


def test_the_log_says_what_else_could_have_been_chosen():
    proposal = propose(Request("chill"), Profile("a"), seed=5)
    choice = proposal.choice
    assert len(choice["features"]) == len(choice["shares"]) <= 16
    assert {len(row) for row in choice["features"]} == {SIZE}
    assert choice["shares"][choice["taken"]] == pytest.approx(proposal.probability, abs=1e-6)
    assert 0 < sum(choice["shares"]) <= 1 + 1e-5


def test_what_listeners_do_with_a_piece_counts_for_less_than_what_they_say_of_it():
    jazz = attributes("jazz")

    def expected(**known) -> float:
        return float(taste_of(Profile("a", **known)).predict(features(jazz, CHILL))[0][0])

    def signalled(kind: str) -> float:
        return expected(signals=(SignalledTrack("t", jazz, CHILL, kind),))

    assert signalled("skip") < expected() < signalled("replay") < expected(ratings=(rated(5, "jazz"),))
    assert expected() < signalled("download")
    assert taste_of(Profile("a", signals=(SignalledTrack("t", jazz, CHILL, "skip"),))).ratings == 0
    with pytest.raises(ValueError, match="one of"):
        SignalledTrack("t", jazz, CHILL, "smile")
    assert set(WORTH) == {"skip", "replay", "download", "variation"}


def test_the_novelty_dial_widens_what_is_served():
    def served(novelty: float) -> list:
        return [propose(Request("chill", novelty=novelty), Profile("a"), seed=seed).brief for seed in range(30)]

    known, surprising = served(0.0), served(1.0)
    assert len({brief.style for brief in surprising}) >= len({brief.style for brief in known})
    assert np.std([brief.density for brief in surprising]) > 1.4 * np.std([brief.density for brief in known])
