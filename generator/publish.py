"""From a Score to a published Track: rendered, mixed, mastered, encoded, measured, written to disk as a whole.

Knows neither composer nor listener: it is handed candidates, and publishes the first one that passes its checks.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from generator import memory
from generator.arrange.style import Style
from generator.brief import Attributes, Brief
from generator.errors import GeneratorError, QualityError
from generator.measure.loudness import nearly_lufs
from generator.measure.report import Measured, measure
from generator.produce.deliver import DeliveredAudio, deliver_as, deliver_mp3
from generator.produce.delivery import Delivery
from generator.produce.encode import encode_flac
from generator.produce.loop import master_round, mix_round
from generator.produce.master import master
from generator.produce.mix import Desk, Mix
from generator.produce.paper import DRAUGHTSMAN, PAPERS, SMALL_COVER
from generator.produce.pictures import waveform
from generator.produce.provenance import comment, compact, provenance
from generator.produce.remedy import remedy
from generator.produce.signing import SIGNED, sign
from generator.produce.tags import Tags
from generator.render.render import SAMPLE_RATE, notices, playing, render
from generator.score import Score

REPORT = "report.json"
_WAVEFORM = "waveform.png"

STAGES = ("compose", "arrange", "render", "mix", "master", "encode", "check")
# Share of the work that is done when a stage begins; from timings on two cores.
_BEGINS = dict(zip(STAGES, (0.0, 0.3, 0.32, 0.6, 0.75, 0.82, 0.95), strict=True))


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a piece stands: the stage it is in and the share of the whole that is done, 0 … 1."""

    stage: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Track:
    """A published piece. `files` maps kinds to paths; `take` of `takes` was kept."""

    track_id: str
    dir: Path
    files: dict[str, Any]
    brief: Brief
    attributes: Attributes
    title: str
    measured: dict[str, Any]
    timings_s: dict[str, float]
    take: int
    takes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "track_id": self.track_id, "dir": str(self.dir), "files": self.files, "brief": self.brief.to_dict(),
            "attributes": self.attributes.to_dict(), "title": self.title, "measured": self.measured,
            "timings_s": self.timings_s, "take": self.take, "takes": self.takes,
        }  # fmt: skip

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Track:
        values = dict(
            data, dir=Path(data["dir"]), brief=Brief.from_dict(data["brief"]),
            attributes=Attributes.from_dict(data["attributes"]),
        )  # fmt: skip
        return Track(**values)


@dataclass(slots=True)
class Clock:
    """Times the stages and tells the caller where the work stands."""

    on_progress: Callable[[Progress], None] = lambda _progress: None
    timings_s: dict[str, float] = field(default_factory=dict)
    furthest: float = 0.0

    def tell(self, name: str, fraction: float) -> None:
        """A second try does not run backwards for those who watch."""
        self.furthest = max(self.furthest, fraction)
        self.on_progress(Progress(name, self.furthest))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.tell(name, _BEGINS[name])
        began = time.perf_counter()
        yield
        self.timings_s[name] = round(self.timings_s.get(name, 0.0) + time.perf_counter() - began, 3)

    def within(self, name: str, share: float) -> None:
        following = [*_BEGINS.values(), 1.0][STAGES.index(name) + 1]
        self.tell(name, _BEGINS[name] + share * (following - _BEGINS[name]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A performed score that may be published. `take` of `takes` it is; `card` is of the weights that took part;
    `report` is what the report says of how it came to be."""

    score: Score
    seed: int
    attributes: Attributes
    take: int = 0
    takes: int = 1
    card: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def publish(
    candidates: Iterable[Candidate],
    brief: Brief,
    style: Style,
    out_dir: Path,
    *,
    track_id: str,
    clock: Clock,
    soundfont: Path | None = None,
    gates: Collection[str] | None = None,
    delivery: Delivery = Delivery(),  # noqa: B008 - frozen
) -> Track:
    """Render the candidates in turn until one passes, each once more where its master can be put right, and publish it
    into `out_dir`, which must not exist or be an earlier try of ours.

    Args:
        candidates: best first; the next one is only asked for when one fails its checks.
        soundfont: an SF2 file, or None for synthesised voices everywhere.
        gates: names of the checks that count; None for all.
        delivery: in what format besides MP3, and signed by whom.

    Raises:
        GeneratorError: with one sentence; nothing half-written is left.
    """
    working = out_dir.with_name(f".{out_dir.name}.partial")
    DRAUGHTSMAN.start()
    try:
        shutil.rmtree(working, ignore_errors=True)
        (working / "stems").mkdir(parents=True)
    except OSError as error:
        raise GeneratorError(f"The folder {out_dir.parent} cannot be written: {error.strerror}.") from error
    try:
        chosen, made = _first_good(candidates, brief, style, working, soundfont, clock, gates, delivery)
        if delivery.signer is not None:
            for kind in SIGNED.keys() & made.files.keys():
                sign(working / f"track.{kind}", chosen.score.title, delivery.signer)
        names = {kind: _moved(entry, working, Path()) for kind, entry in made.files.items()}
        origin = provenance(
            brief, track_id, chosen.card or {}, names, originality=chosen.report.get("originality"), folder=working,
            soundfont=soundfont,
        )  # fmt: skip
        _write_json(working / "provenance.json", origin)
        files = made.files | {"report": working / REPORT, "provenance": working / "provenance.json"}
        track = Track(
            track_id, working, dict(files), brief, chosen.attributes, chosen.score.title, made.measured.to_dict(),
            clock.timings_s, chosen.take, chosen.takes,
        )  # fmt: skip
        said = {"notices": notices(chosen.score, soundfont)}
        _write_json(working / REPORT, _report(track, style, chosen.card) | said | dict(chosen.report))
        clock.tell("check", 1.0)
        return _move(track, working, out_dir)
    except OSError as error:
        raise GeneratorError(f"Writing the track to {out_dir} failed: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Made:
    """One candidate as files in the working folder, and what its decoded MP3 measures."""

    files: dict[str, Path | list[Path]]
    measured: Measured


def _first_good(
    candidates: Iterable[Candidate],
    brief: Brief,
    style: Style,
    working: Path,
    soundfont: Path | None,
    clock: Clock,
    gates: Collection[str] | None,
    delivery: Delivery,
) -> tuple[Candidate, _Made]:
    failed: tuple[str, ...] = ()
    for candidate in candidates:
        target_lufs, tried = style.master.target_lufs, style
        for _ in range(2):
            made = _make(candidate, brief, tried, working, soundfont, clock, delivery, target_lufs)
            if gates is not None:
                counted = {name: passed for name, passed in made.measured.gates.items() if name in gates}
                made = replace(made, measured=replace(made.measured, gates=counted))
            if made.measured.verified:
                return candidate, made
            failed = made.measured.failed
            better = remedy(made.measured, tried.master, target_lufs)
            if better is None:
                break
            tried = style.model_copy(update={"master": better})
    raise QualityError(f"The finished piece did not pass its checks ({', '.join(failed)}); another seed may do better.")


def _make(
    take: Candidate,
    brief: Brief,
    style: Style,
    working: Path,
    soundfont: Path | None,
    clock: Clock,
    delivery: Delivery,
    target_lufs: float,
) -> _Made:
    """Render, mix, master, encode and check one candidate; an earlier one's files are overwritten.

    What needs no sound is drawn, and the stems are written, beside it.
    `target_lufs` is what the check asks for; a master that makes up for a failure may aim elsewhere.
    """
    score = take.score
    with _beside() as beside:
        drawn = beside.submit(DRAUGHTSMAN.draw, score, brief, working)
        if brief.loop:
            mixed = _mix_round(take, brief, style, soundfont, clock)
        else:
            mixed = _mix(take, brief, style, soundfont, clock, beside)
        levels = beside.submit(_levels, dict(mixed.stems), mixed.levels)
        written = beside.submit(_write_stems, mixed.stems, working / "stems")
        with clock.stage("master"):
            if brief.loop:
                mastered = master_round(mixed.bus, style.master)
            else:
                mastered = master(mixed.bus, style.master, into=mixed.bus)
        del mixed
        finished = beside.submit(waveform, mastered, SAMPLE_RATE, score, working / _WAVEFORM)
        with clock.stage("encode"):
            drawn.result()
            delivered, audio = _encode(mastered, take, brief, style, working, delivery)
        with clock.stage("check"):
            measured = measure(
                delivered.audio, delivered.rate, score, brief, levels.result(), target_lufs=target_lufs,
                loudness=delivered.loudness,
            )  # fmt: skip
            finished.result()
            stems = written.result()
    papers = {kind: working / name for kind, name in PAPERS.items()} | {"waveform": working / _WAVEFORM}
    return _Made(papers | audio | {"stems": stems}, measured)


@contextmanager
def _beside() -> Iterator[ThreadPoolExecutor]:
    """More hands: one for sound, one that waits for the papers. When the work fails, what they have not begun is
    dropped, and what they have is waited for."""
    memory.keep()
    pool = ThreadPoolExecutor(2, "beside")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _mix(
    take: Candidate, brief: Brief, style: Style, soundfont: Path | None, clock: Clock, beside: Executor
) -> Mix:  # fmt: skip
    """Stems are taken to the desk while others are still played."""
    desk = Desk(_roles(take.score), style.mix, style.master, take.seed)
    with clock.stage("render"):
        stems = playing(take.score, soundfont, seed=take.seed, device=device())
        coming = {name: beside.submit(desk.take, name, stem) for name, stem in stems}
    with clock.stage("mix"):
        taken = {name: stem.result() for name, stem in coming.items()}
        coming.clear()
        return desk.mix(taken, brief.tempo_bpm)


def _mix_round(take: Candidate, brief: Brief, style: Style, soundfont: Path | None, clock: Clock) -> Mix:
    score = take.score
    with clock.stage("render"):
        stems = render(score, soundfont, seed=take.seed, device=device())
    with clock.stage("mix"):
        return mix_round(
            stems, _roles(score), style.mix, style.master, length_s=score.length_s, seed=take.seed,
            tempo_bpm=brief.tempo_bpm,
        )  # fmt: skip


def _roles(score: Score) -> dict[str, str]:
    return {part.name: part.role for part in score.parts}


def _encode(
    mastered: torch.Tensor, take: Candidate, brief: Brief, style: Style, working: Path, delivery: Delivery
) -> tuple[DeliveredAudio, dict[str, Path]]:
    """The MP3 as it will be heard, and the files of the finished sound."""
    origin = compact(brief, take.card or {}, take.report.get("originality"))
    tags = Tags(title=take.score.title, genre=style.label, comment=comment(brief.seed), provenance=origin)
    small, files = working / SMALL_COVER, {"mp3": working / "track.mp3"}
    delivered = deliver_mp3(mastered, files["mp3"], tags, small, style.master)
    if delivery.format != "mp3":
        files[delivery.format] = working / f"track.{delivery.format}"
        deliver_as(delivery.format, mastered, files[delivery.format], tags, small, style.master)
    small.unlink()
    return delivered, files


def _levels(stems: Mapping[str, torch.Tensor], known: Mapping[str, float]) -> dict[str, float]:
    """Loudness in LUFS by name."""
    return {name: known[name] if name in known else nearly_lufs(stem, SAMPLE_RATE) for name, stem in stems.items()}


def _write_stems(stems: dict[str, torch.Tensor], folder: Path) -> list[Path]:
    """Write the stems as FLAC and empty `stems` on the way."""
    for old in folder.iterdir():
        old.unlink()
    written = []
    for name in tuple(stems):
        written.append(folder / f"{name}.flac")
        encode_flac(stems.pop(name), written[-1])
    return written


def _report(track: Track, style: Style, card: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "track_id": track.track_id,
        "title": track.title,
        "style": style.label,
        "brief": track.brief.to_dict(),
        "attributes": track.attributes.to_dict(),
        "measured": track.measured,
        "timings_s": track.timings_s,
        "seed": track.brief.seed,
        "versions": versions() | ({"weights_sha256": card["sha256"]} if card else {}),
    }


def versions() -> dict[str, str]:
    """What a piece depends on: the same versions and seed give the same samples."""
    names = ("tunesmith", "torch", "numpy", "scipy")
    return {name: version(name) for name in names} | {"python": platform.python_version(), "device": device().type}


def _move(track: Track, working: Path, out_dir: Path) -> Track:
    """Move the finished folder to its place in one step; an earlier try is replaced."""
    if out_dir.exists():
        old = out_dir.with_name(f".{out_dir.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        out_dir.rename(old)
        working.rename(out_dir)
        shutil.rmtree(old, ignore_errors=True)
    else:
        working.rename(out_dir)
    files = {kind: _moved(value, working, out_dir) for kind, value in track.files.items()}
    return replace(track, dir=out_dir, files=files)


def _moved(value: Path | list[Path], working: Path, out_dir: Path) -> str | list[str]:
    if isinstance(value, list):
        return [str(out_dir / path.relative_to(working)) for path in value]
    return str(out_dir / value.relative_to(working))


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
