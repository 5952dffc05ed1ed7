"""`render` and `edit`: a piece that is there, heard again as it was changed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot import clock
from bot.app import find_soundfont
from bot.cli.compose import as_contract, show_track
from bot.cli.context import AsJson, Format, print_json, say, settings
from bot.cli.deliver import deliver, prepare_out
from bot.errors import NotFoundError, UserError
from bot.service import TrackRecord
from bot.settings import Settings
from generator.brief import BriefError
from generator.errors import EditError, NotationError, StyleError
from generator.produce.delivery import Delivery

if TYPE_CHECKING:  # torch behind these takes seconds to import
    from generator.publish import Progress, Track
    from generator.remake import Source

_SEEDS = 2**32
Out = Annotated[Path | None, typer.Option("--out", help="A folder for the finished files; default: out/TRACK.")]
Seed = Annotated[int, typer.Option(min=0, help="The same piece, options and seed give the same samples.")]


def add_render(app: typer.Typer) -> None:
    @app.command()
    def render(
        file: Annotated[Path, typer.Argument(help="A .mid, .musicxml, .mxl or .abc file, from any program.")],
        style: Annotated[str | None, typer.Option(help="Whose sound; default: the track's, else pop.")] = None,
        seed: Seed = 0,
        audio_format: Format = None,
        out_dir: Out = None,
        as_json: AsJson = False,
    ) -> None:
        """Render, mix and master a music file as it stands."""
        remake = partial(_render, style=style, seed=seed)
        _make(file, out_dir, f"rendered from {file.name}", remake, settings(format=audio_format), as_json=as_json)


def add_edit(app: typer.Typer) -> None:
    @app.command()
    def edit(
        piece: Annotated[str, typer.Argument(help="A track's id or folder, or a music file.")],
        variation: Annotated[float | None, typer.Option(help="A new tune in the old rhythm: 0 to 1.")] = None,
        repaint: Annotated[str | None, typer.Option(help="Bars to write anew, for example 9-12.")] = None,
        extend: Annotated[int | None, typer.Option(help="Bars to go on for.")] = None,
        shorten: Annotated[int | None, typer.Option(help="Bars to take out.")] = None,
        style: Annotated[str | None, typer.Option(help="Another style, the same tune and chords.")] = None,
        calmer: Annotated[bool, typer.Option("--calmer")] = False,
        brighter: Annotated[bool, typer.Option("--brighter")] = False,
        darker: Annotated[bool, typer.Option("--darker")] = False,
        more_energetic: Annotated[bool, typer.Option("--more-energetic")] = False,
        instrument: Annotated[list[str] | None, typer.Option(help="PART=INSTRUMENT, as melody=flute.")] = None,
        mute: Annotated[list[str] | None, typer.Option(help="A part to leave out.")] = None,
        transpose: Annotated[int | None, typer.Option(help="Semitones up, or down below 0.")] = None,
        tempo: Annotated[float | None, typer.Option(help="Beats per minute.")] = None,
        seed: Annotated[int | None, typer.Option(min=0, help="For what is new; default: another each time.")] = None,
        audio_format: Format = None,
        out_dir: Out = None,
        as_json: AsJson = False,
    ) -> None:
        """Change a piece and render it; the new track names the old one."""
        moods = {"calmer": calmer, "brighter": brighter, "darker": darker, "more_energetic": more_energetic}
        asked = {
            "variation": variation, "extend": extend, "shorten": shorten, "style": style, "mute": tuple(mute or ()),
            "repaint": None if repaint is None else _bars(repaint), "transpose": transpose, "tempo_bpm": tempo,
            "moods": tuple(name for name, wanted in moods.items() if wanted),
            "instruments": tuple(_pair(text) for text in instrument or ()),
        }  # fmt: skip
        own = secrets.randbelow(_SEEDS) if seed is None else seed
        chosen = settings(format=audio_format)
        remake = partial(_edit, asked=asked, seed=own)
        _make(_place(piece, chosen), out_dir, f"changed from {piece}", remake, chosen, as_json=as_json)


def _bars(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        raise UserError(f"“{text}” names no bars; write for example 9-12.")
    return int(first), int(last or first)


def _pair(text: str) -> tuple[str, str]:
    part, equals, instrument = text.partition("=")
    if not part or not equals or not instrument:
        raise UserError(f"“{text}” does not say which part and what it is played on; write for example melody=flute.")
    return part, instrument


def _place(piece: str, chosen: Settings) -> Path:
    """A path as it is, else the folder of the track with this id."""
    path = Path(piece)
    if path.exists():
        return path
    kept = chosen.tracks_dir / piece
    if Path(piece).name != piece or not kept.is_dir():
        raise NotFoundError(f"There is no file, folder or track {piece}; “tunesmith history” lists your tracks.")
    return kept


def _render(source: Source, folder: Path, **options: Any) -> Track:
    from generator.remake import render_track  # noqa: PLC0415 - torch takes seconds to import

    return render_track(source, folder, **options)


def _edit(source: Source, folder: Path, *, asked: dict[str, Any], **options: Any) -> Track:
    from generator.edit.changes import Changes  # noqa: PLC0415 - as above
    from generator.remake import edit_track  # noqa: PLC0415

    return edit_track(source, Changes(**asked), folder, **options)


def _make(
    path: Path, out_dir: Path | None, why: str, remake: Callable[..., Track], chosen: Settings, *, as_json: bool
) -> None:
    """Read, make, deliver, tell. Raises UserError for what the person can put right."""
    import torch  # noqa: PLC0415 - as above

    from generator.remake import read_source  # noqa: PLC0415

    torch.set_num_threads(chosen.threads_per_worker)
    track_id = secrets.token_hex(8)
    where = out_dir or Path("out") / track_id
    prepare_out(where)
    try:
        track = remake(
            read_source(path), chosen.work_dir / track_id, track_id=track_id, soundfont=find_soundfont(chosen),
            on_progress=_lines(), delivery=Delivery.from_dict(chosen.delivery()),
        )  # fmt: skip
    except (BriefError, EditError, NotationError, StyleError) as error:
        raise UserError(str(error)) from error
    record = _record(track, why)
    try:
        deliver(record, where)
    finally:
        shutil.rmtree(track.dir, ignore_errors=True)
    if as_json:
        print_json(as_contract(record, {}, where))
    else:
        show_track(record, where)


def _lines() -> Callable[[Progress], None]:
    """One line per stage."""
    seen: set[str] = set()

    def show(progress: Progress) -> None:
        if progress.stage not in seen:
            seen.add(progress.stage)
            say(f"{progress.stage} {progress.fraction:.0%}")

    return show


def _record(track: Track, why: str) -> TrackRecord:
    return TrackRecord(
        track.track_id, "local", track.title, track.brief.to_dict(), (why,), track.measured, track.timings_s,
        track.dir, track.files, clock.now(),
    )  # fmt: skip
