"""From a piece that is there to a new Track: an edited file rendered again, a track changed and rendered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.arrange.blend import style_of
from generator.brief import Brief, BriefError, Mood
from generator.edit.changes import Changes, change, in_style
from generator.edit.lead import plan_of
from generator.errors import NotationError
from generator.measure.attributes import measure_attributes
from generator.measure.pitch import key_of
from generator.notation.files import PAGES, read_score
from generator.perform import perform
from generator.pipeline import load_composer
from generator.produce.delivery import Delivery
from generator.produce.paper import SCORE
from generator.publish import REPORT, Candidate, Clock, Progress, Track, publish
from generator.render.timing import TAIL_S
from generator.score import Part, Score

USUAL_STYLE = "pop"
"""Of a file that says none: its mix leaves every instrument as it is."""

# The checks that hold for any music; what the notes of a file are like is its author's affair.
_GATES_OF_SOUND = ("loudness", "true_peak", "length", "dc", "clipping", "ending", "parts")


@dataclass(frozen=True, slots=True)
class Source:
    """A piece to start from: its notes, whether they are written or played, what it was asked to be (None where
    nobody said), and where it comes from."""

    score: Score
    written: bool
    brief: Brief | None
    parent: Mapping[str, Any]


def read_source(path: Path) -> Source:
    """A music file, or a track's folder (its exact score, else its MIDI). A file in a track's folder keeps the
    track's style and mood. Raises NotationError."""
    if path.is_dir():
        there = [path / name for name in (SCORE, "track.mid") if (path / name).is_file()]
        if not there:
            raise NotationError(f"There is no track in {path}; it would hold {SCORE} or track.mid.")
        path = there[0]
    score = read_score(path)
    if not any(part.notes for part in score.parts):
        raise NotationError(f"{path.name} has no notes.")
    report = _report_beside(path)
    parent = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if "track_id" in report:
        parent["track_id"] = str(report["track_id"])
    try:
        brief = Brief.from_dict(report["brief"]) if "brief" in report else None
    except BriefError:
        brief = None  # of a version that asked for other things
    return Source(score, path.suffix.lower() in PAGES, brief, parent)


def _report_beside(path: Path) -> dict[str, Any]:
    """The report of the track in whose folder a file lies; empty where there is none."""
    place = path.with_name(REPORT)
    try:
        report = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    except (OSError, ValueError) as error:
        raise NotationError(f"{place} cannot be read: {error}.") from error
    return report if isinstance(report, dict) else {}


def render_track(
    source: Source,
    out_dir: Path,
    *,
    track_id: str,
    seed: int,
    style: str | None = None,
    soundfont: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    delivery: Delivery = Delivery(),  # noqa: B008 - frozen
) -> Track:
    """Render a file as it stands; what is written without being played gets the style's swing, timing and touch.

    Raises GeneratorError, or BriefError where the piece is longer, faster or in another metre than can be made.
    """
    brief = _brief_of(source.score, source.brief, seed)
    if style is not None:
        brief = in_style(brief, style)
    score = _performed(source.score, brief, seed) if source.written else source.score
    report = {"parent": dict(source.parent)}
    return _publish(score, brief, out_dir, report, None, track_id, seed, soundfont, Clock(on_progress), delivery)


def edit_folder(folder: Path, changes: Mapping[str, Any], out_dir: Path, **options: Any) -> Track:
    """`edit_track` of the piece in a track's folder, with the changes as JSON. Raises as `edit_track`."""
    return edit_track(read_source(folder), Changes.from_dict(changes), out_dir, **options)


def edit_track(
    source: Source,
    changes: Changes,
    out_dir: Path,
    *,
    track_id: str,
    seed: int,
    soundfont: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    delivery: Delivery = Delivery(),  # noqa: B008 - frozen
) -> Track:
    """Change a piece and render it. The report names its parent and the changes. Raises as `render_track`, and
    EditError."""
    clock = Clock(on_progress)
    with clock.stage("compose"):
        brief = _brief_of(source.score, source.brief, seed)
        score = _performed(source.score, brief, seed) if source.written else source.score
        changed = change(score, brief, changes, seed, lambda: load_composer()[0])
        brief = _brief_of(changed.score, changed.brief, seed)
    report: dict[str, Any] = {"parent": dict(source.parent), "changes": changes.to_dict()}
    if changed.originality is not None:
        found = changed.originality
        report["originality"] = {
            "nearest": found.nearest, "longest_run": found.longest_run, "similarity": found.similarity,
            "passed": found.passed,
        }  # fmt: skip
    card = load_composer()[1] if changes.composes else None
    return _publish(changed.score, brief, out_dir, report, card, track_id, seed, soundfont, clock, delivery)


def _publish(
    score: Score, brief: Brief, out_dir: Path, report: Mapping[str, Any], card: Mapping[str, Any] | None,
    track_id: str, seed: int, soundfont: Path | None, clock: Clock, delivery: Delivery,
) -> Track:  # fmt: skip
    candidate = Candidate(score, seed, measure_attributes(score, brief), card=card, report=report)
    return publish(
        [candidate], brief, style_of(brief), out_dir, track_id=track_id, clock=clock, soundfont=soundfont,
        gates=_GATES_OF_SOUND, delivery=delivery,
    )  # fmt: skip


def _brief_of(score: Score, asked: Brief | None, seed: int) -> Brief:
    """What would have to be asked for to get this piece; mood and style as `asked`, else as measured."""
    if asked is None:
        plain = Brief(((USUAL_STYLE, 1.0),), Mood(0.0, 0.0), 100.0, "C major", "4/4", 60.0, 0)
        heard = measure_attributes(score, plain)
        asked = replace(
            in_style(plain, USUAL_STYLE), mood=Mood(heard.valence, heard.arousal), density=heard.density,
            complexity=heard.complexity, brightness=heard.brightness, acousticness=heard.acousticness,
        )  # fmt: skip
    length_s = score.length_s + TAIL_S
    return replace(
        asked, tempo_bpm=score.tempo_bpm, key=str(key_of(score)), meter=str(score.meter), length_s=length_s,
        title=score.title, seed=seed,
    )  # fmt: skip


def _performed(score: Score, brief: Brief, seed: int) -> Score:
    """The page as the style's players play it; loudness that the page states stays."""
    played = perform(score, plan_of(score), brief, style_of(brief), seed)
    return replace(score, parts=tuple(_loud_as_written(*pair) for pair in zip(score.parts, played.parts, strict=True)))


def _loud_as_written(page: Part, played: Part) -> Part:
    if len({note.velocity for note in page.notes}) <= 1:
        return played
    notes = (replace(new, velocity=old.velocity) for old, new in zip(page.notes, played.notes, strict=True))
    return replace(played, notes=tuple(notes))
