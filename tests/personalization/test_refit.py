"""What a server's listeners share is learned from their ratings, and only when that helps those it has not seen."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from generator.brief import STYLES, Attributes, Mood
from personalization import edits
from personalization.about import About
from personalization.edits import read_edits
from personalization.features import features
from personalization.population import PopulationModel
from personalization.propose import prior
from personalization.refit import GivenRating, SharedTaste, refit

MOOD = Mood(0.3, -0.2)


def piece(rng: np.random.Generator) -> Attributes:
    style = str(rng.choice(STYLES))
    low, high = 0.05, 0.95
    values = {name: float(rng.uniform(low, high)) for name in ("density", "acousticness", "complexity", "brightness")}
    return Attributes(((style, 1.0),), 0.1, 0.0, float(rng.uniform(60, 150)), minor=float(rng.random() < 0.5), **values)


def crowd(liking, listeners: int = 20, each: int = 20, groups=lambda _number: ()) -> list[GivenRating]:
    rng = np.random.default_rng(3)
    found = []
    for number in range(listeners):
        for _ in range(each):
            made = piece(rng)
            stars = int(np.clip(np.round(3.2 + liking(made, number) + rng.normal(0, 0.6)), 1, 5))
            found.append(GivenRating(f"listener {number}", made, MOOD, stars, groups(number)))
    return found


def acoustic(made: Attributes, _number: int = 0) -> float:
    return 2.2 * (made.acousticness - 0.5)


def expected(model: PopulationModel, **changes) -> float:
    made = Attributes((("folk", 1.0),), 0.1, 0.0, 100.0, density=0.5, minor=0.0, acousticness=0.5, complexity=0.5,
                      brightness=0.5)  # fmt: skip
    return float(model.predict(features(Attributes(**(made.to_dict() | changes)), MOOD))[0])


def test_what_a_server_agrees_on_is_served_to_strangers():
    shared = refit(crowd(acoustic), prior())
    assert shared is not None
    assert shared.serves
    assert (shared.listeners, shared.ratings) == (20, 400)
    lean = expected(shared.population, acousticness=0.95) - expected(shared.population, acousticness=0.05)
    assert lean == pytest.approx(2.0, abs=0.5)
    back = SharedTaste.from_dict(json.loads(json.dumps(shared.to_dict())))
    assert expected(back.prior_for(())) == pytest.approx(expected(shared.population))


def test_few_ratings_teach_nothing_and_noise_is_not_served():
    assert refit(crowd(acoustic, listeners=4), prior()) is None
    assert refit(crowd(acoustic, listeners=10, each=4), prior()) is None
    noise = refit(crowd(lambda _made, _number: 0.0), prior())
    assert noise is not None
    assert abs(expected(noise.population, acousticness=0.95) - expected(noise.population, acousticness=0.05)) < 0.4


def test_a_refit_stays_near_the_hand_made_prior_where_ratings_say_nothing():
    rng = np.random.default_rng(1)
    x = np.stack([features(piece(rng), MOOD) for _ in range(12)])
    given = prior().predict(x)
    model = PopulationModel().fit(x, given, np.repeat(np.arange(3), 4), around=prior())
    other = np.stack([features(piece(rng), Mood(0.8, 0.7)) for _ in range(50)])
    assert model.predict(other) == pytest.approx(prior().predict(other), abs=0.05)


def test_what_is_deleted_is_gone_from_the_next_refit():
    fans = crowd(acoustic)
    haters = [GivenRating(f"gone {r.listener_id}", r.attributes, r.mood, 6 - r.stars) for r in crowd(acoustic)]
    with_them, without = refit([*fans, *haters], prior()), refit(fans, prior())
    assert with_them is not None
    assert without is not None
    again = refit([rating for rating in [*fans, *haters] if not rating.listener_id.startswith("gone")], prior())
    assert again is not None
    assert again.to_dict() == without.to_dict()
    assert with_them.to_dict() != without.to_dict()


def test_age_and_country_are_a_weak_start_and_need_company():
    def by_country(made: Attributes, number: int) -> float:
        return (1 if number % 2 else -1) * 2.0 * (made.acousticness - 0.5)

    def groups(number: int) -> tuple[str, ...]:
        return About(country="BR" if number % 2 else "DE", age_band="18-24" if number < 3 else None).groups

    shared = refit(crowd(by_country, listeners=24, groups=groups), prior())
    assert shared is not None
    assert set(shared.groups) == {"country:BR", "country:DE"}, "three people are no group"

    def lean(*names: str) -> float:
        model = shared.prior_for(names)
        return expected(model, acousticness=0.95) - expected(model, acousticness=0.05)

    assert lean("country:DE") < lean() < lean("country:BR") < 1.5
    assert lean("country:FR") == lean()
    with pytest.raises(ValueError, match="age band"):
        About(age_band="29")
    with pytest.raises(ValueError, match="capital letters"):
        About(country="Brazil")


@pytest.mark.parametrize(
    ("text", "liked", "disliked", "withdrawn"),
    [
        ("more jazz, less fast music", {"jazz"}, {"fast"}, set()),
        ("I love bossa nova and jazz but hate rock", {"bossa nova", "jazz"}, {"rock"}, set()),
        ("I don't like metal; forget rock", set(), {"metal"}, {"rock"}),
        ("mehr Jazz, weniger Pop", {"jazz"}, {"pop"}, set()),
        ("más jazz y menos rock", {"jazz"}, {"rock"}, set()),
        ("slower, acoustic", {"slow", "acoustic"}, set(), set()),
        ("fewer drums, slower", {"slow"}, {"drums"}, set()),
        ("less pop, no drums, faster, jazz", {"fast", "jazz"}, {"pop", "drums"}, set()),
        ("less rock, pop", set(), {"rock", "pop"}, set()),
        ("not slower, never too fast, calmer", {"calm"}, {"slow", "fast"}, set()),
        ("hate country and rock, slower; no more metal", {"slow"}, {"country", "rock", "metal"}, set()),
        ("less drums and more saxophone", {"saxophone"}, {"drums"}, set()),
        ("forget jazz, slower", {"slow"}, set(), {"jazz"}),
        ("nicht so schnell", set(), {"fast"}, set()),
        ("weniger Schlagzeug, langsamer", {"slow"}, {"drums"}, set()),
        ("schneller, kein Jazz; Rock mag ich nicht", {"fast"}, {"jazz", "rock"}, set()),
        ("ruhiger und weniger dunkel; ich mag keinen Rock", {"calm"}, {"dark", "rock"}, set()),
        ("menos batería, más lento; no me gusta el rock", {"slow"}, {"drums", "rock"}, set()),
        ("moins de batterie, plus lent", {"slow"}, {"drums"}, set()),
        ("j'aime le jazz mais pas le rock; je n'aime pas l'orgue", {"jazz"}, {"rock", "organ"}, set()),
        ("menos bateria, mais lento; não gosto de rock", {"slow"}, {"drums", "rock"}, set()),
        ("meno veloce, più jazz; non mi piace il rock", {"jazz"}, {"fast", "rock"}, set()),
        ("もっとジャズ、ドラムは少なめ、ロックは嫌い", {"jazz"}, {"drums", "rock"}, set()),
        ("もっと静かに。ポップスを忘れて", {"calm"}, set(), {"pop"}),
    ],
)
def test_a_taste_is_edited_in_plain_words(text, liked, disliked, withdrawn):
    read = read_edits(text)
    assert {statement.value for statement in read.said if statement.liked} == liked
    assert {statement.value for statement in read.said if not statement.liked} == disliked
    assert {statement.value for statement in read.withdrawn} == withdrawn
    assert not read.unknown


def test_every_word_of_the_table_says_something():
    table = tomllib.loads((Path(edits.__file__).with_suffix(".toml")).read_text("utf-8"))
    for meaning, words in (table["comparatives"] | table["names"]).items():
        for word in words:
            assert [statement.value for statement in read_edits(f"more {word}").said] == [meaning], word


def test_what_an_edit_does_not_understand_is_named():
    assert read_edits("more flibbertigibbet").unknown == ("flibbertigibbet",)
    assert read_edits("").said == ()
