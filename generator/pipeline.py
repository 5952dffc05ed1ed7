"""From a Brief to a published Track: plan, compose, check, arrange, perform, choose; `publish` does the rest.

Knows no listener: whoever does passes `rank`, a function that scores the takes by their measured attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from generator.arrange.arrange import arrange
from generator.arrange.blend import style_of
from generator.arrange.drummer import Improvised, improvise
from generator.arrange.style import Style
from generator.brief import Attributes, Brief, Key
from generator.compose import Judge, Lead, take_seeds
from generator.gate import Checked, compose_original
from generator.measure.attributes import measure_attributes
from generator.measure.pitch import key_of, related
from generator.model import checkpoint
from generator.model.desk import together
from generator.model.transformer import Composer
from generator.perform import perform
from generator.plan import Plan, make_plan
from generator.produce.delivery import Delivery
from generator.publish import Candidate, Clock, Progress, Track, device, publish
from generator.score import Score
from generator.titles import title_of

Rank = Callable[[Sequence[Attributes]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Take:
    checked: Checked
    drums: Improvised
    score: Score
    attributes: Attributes


@cache
def load_composer() -> tuple[Composer, dict[str, Any]]:
    """The shipped model, read once in a process. Raises MissingWeights or IncompatibleWeights."""
    return checkpoint.load(device=device())


def compose_track(
    brief: Brief,
    out_dir: Path,
    *,
    track_id: str,
    takes: int = 2,
    rank: Rank | None = None,
    soundfont: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    delivery: Delivery = Delivery(),  # noqa: B008 - frozen
) -> Track:
    """Compose, render and publish one piece into `out_dir`, which must not exist or be an earlier try of ours.

    Args:
        takes: how many candidates to compose; the one that `rank` scores highest is rendered.
        rank: scores takes by their attributes; without it the first take is kept.
        soundfont: an SF2 file, or None for synthesised voices everywhere.
        on_progress: told of every step; raise Cancelled in it to stop.
        delivery: in what format besides MP3.

    Raises:
        GeneratorError: with one sentence; nothing half-written is left.
    """
    clock = Clock(on_progress)
    style = style_of(brief)
    candidates = _candidates(brief, style, takes, rank, clock)
    return publish(
        candidates, brief, style, out_dir, track_id=track_id, clock=clock, soundfont=soundfont, delivery=delivery
    )


def compose_takes(brief: Brief, style: Style, takes: int, clock: Clock, rank: Rank | None = None) -> list[_Take]:
    """Plan, compose, check, arrange and perform every take; one that copies a training melody is not among them.

    With `rank`, every take is written in rival ways, and the one that is liked more goes on.
    """
    title = title_of(brief)
    with clock.stage("compose"):
        model, _ = load_composer()
        plan = make_plan(brief, style)
        seeds, judge = take_seeds(brief.seed, takes), _judge(rank, plan, brief, style) if rank else None
        leads, drums = together(
            model,
            compose_original(brief, plan, style, seeds, lambda share: clock.within("compose", share), judge),
            improvise(plan, brief, style, seeds),
        )
        drumming = dict(zip(seeds, drums, strict=True))
    with clock.stage("arrange"):
        written = []
        for checked in leads:
            beat = drumming[checked.seed]
            arranged = arrange(checked.lead, plan, brief, style, title, checked.seed, beat.bars)
            score = perform(arranged, plan, brief, style, checked.seed)
            written.append(_Take(checked, beat, score, measure_attributes(score, brief)))
    return written


def _judge(rank: Rank, plan: Plan, brief: Brief, style: Style) -> Judge:
    """Leads by what a rank thinks of them once they are arranged, before anybody has played them."""

    def judge(leads: Sequence[Lead], seeds: Sequence[int]) -> Sequence[float]:
        scores = [arrange(lead, plan, brief, style, "", seed) for lead, seed in zip(leads, seeds, strict=True)]
        return rank([measure_attributes(score, brief) for score in scores])

    return judge


def _candidates(brief: Brief, style: Style, takes: int, rank: Rank | None, clock: Clock) -> Iterator[Candidate]:
    """The best take; then the next best, or where there is none one take more, for when it fails its checks.

    A take whose notes do not tell the asked key would fail them in the end: it comes last, or another is written first.
    """
    written = compose_takes(brief, style, takes, clock, rank)
    if takes == 1 and not _in_key(written[0], brief):
        takes = 2
        written = compose_takes(brief, style, takes, clock, rank)
    scores = list(rank([take.attributes for take in written])) if rank else [0.0] * len(written)
    order = sorted(range(len(written)), key=lambda index: (not _in_key(written[index], brief), -scores[index], index))
    yield _candidate(written[order[0]], order[0], takes, scores)
    if len(written) > 1:
        yield _candidate(written[order[1]], order[1], takes, scores)
    else:
        more = compose_takes(brief, style, takes + 1, clock, rank)
        yield _candidate(more[-1], len(more) - 1, takes, scores)


def _in_key(take: _Take, brief: Brief) -> bool:
    return related(key_of(take.score), Key.parse(brief.key))


def _candidate(take: _Take, index: int, takes: int, scores: Sequence[float]) -> Candidate:
    found = take.checked.originality
    report: dict[str, Any] = {
        "takes": {"composed": takes, "kept": index, "scores": [round(score, 4) for score in scores]},
        "originality": {
            "nearest": found.nearest, "longest_run": found.longest_run, "similarity": found.similarity,
            "passed": found.passed, "rewritten": take.checked.rewritten,
        },
    }  # fmt: skip
    if take.drums.remarks:
        report["remarks"] = list(take.drums.remarks)
    return Candidate(take.score, take.checked.seed, take.attributes, index, takes, load_composer()[1], report)
