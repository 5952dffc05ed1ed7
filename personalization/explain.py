"""Why this piece: up to three reasons, each of which is checked to be true before it is said."""

from __future__ import annotations

from generator.brief import Brief
from personalization.genres import STYLE_FACTS
from personalization.profile import Heard, Profile, RatedTrack
from personalization.request import Request
from personalization.understand import Understanding

MOST = 3
_FEW_RATINGS = 3


def reasons(
    request: Request, found: Understanding, brief: Brief, profile: Profile, history: Heard, *, asked_style: bool
) -> tuple[str, ...]:
    """Short clauses for a person, the strongest first."""
    said: list[str] = []
    if found.heard or request.styles:
        said.append(f"you asked for {_asked(request, found)}")
    said += _from_ratings(brief, profile)
    if not asked_style:
        said += _from_history(brief, history)
    if len(profile.ratings) < _FEW_RATINGS:
        count = len(profile.ratings)
        known = "you have not rated a piece yet" if count == 0 else f"I know only {count} of your ratings"
        said.append(f"this is still a guess: {known}")
    return tuple(said[:MOST])


def _asked(request: Request, found: Understanding) -> str:
    if found.mood is not None:
        words = " and ".join(found.mood.words[:3])
        styles = request.styles or tuple(found.styles)
        return f"{words} {STYLE_FACTS[styles[0]].label}" if styles else words
    if request.styles:
        return " + ".join(STYLE_FACTS[name].label for name in request.styles)
    return ", ".join(found.heard[:2])


def pace(tempo_bpm: float) -> str:
    return "slow" if tempo_bpm < 85 else "fast" if tempo_bpm > 120 else "mid-tempo"


def _label(track: RatedTrack) -> str:
    style = max(track.attributes.styles, key=lambda pair: pair[1])[0]
    return f"{pace(track.attributes.tempo_bpm)} {STYLE_FACTS[style].label} piece “{track.title}”"


def _distance(track: RatedTrack, brief: Brief) -> float:
    attributes = track.attributes
    style = dict(attributes.styles).get(brief.style, 0.0)
    return (
        (1.0 - style)
        + abs(attributes.tempo_bpm - brief.tempo_bpm) / 40
        + abs(attributes.density - brief.density)
        + abs(attributes.acousticness - brief.acousticness)
    )


def _from_ratings(brief: Brief, profile: Profile) -> list[str]:
    """A liked piece that this one is like, and a disliked one that it keeps away from."""
    said = []
    liked = [track for track in profile.ratings if track.stars >= 4]
    if liked:
        closest = min(liked, key=lambda track: _distance(track, brief))
        if _distance(closest, brief) < 1.0:
            said.append(f"you rated the {_label(closest)} {closest.stars}")
    disliked = [track for track in profile.ratings if track.stars <= 2]
    if disliked:
        furthest = max(disliked, key=lambda track: abs(track.attributes.tempo_bpm - brief.tempo_bpm))
        difference = brief.tempo_bpm - furthest.attributes.tempo_bpm
        if abs(difference) >= 10:
            turn = "slower" if difference < 0 else "faster"
            said.append(f"you rated the {_label(furthest)} only {furthest.stars}, so this one is {turn}")
    return said


def _from_history(brief: Brief, history: Heard) -> list[str]:
    share = history.styles.get(brief.style, 0.0)
    if share < 0.1:
        return []
    artists = history.top_artists.get(brief.style, ())[:2]
    return [f"{share:.0%} of the music you play is {STYLE_FACTS[brief.style].label} ({', '.join(artists)})"]
