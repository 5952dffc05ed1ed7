"""`compose`: one piece, in this process's own engine, through the same durable job as the chat's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot.app import App, open_app, open_runner
from bot.cli.context import AsJson, Format, Listener, err, out, print_json, run, say, settings
from bot.cli.deliver import deliver, prepare_out
from bot.errors import EngineError, JobCancelled, UserError
from bot.jobs.job import Job, State
from bot.service import TrackRecord, absolute
from generator.brief import METERS

if TYPE_CHECKING:
    from personalization.request import Request

_LOOK_S = 0.2
Show = Callable[[Job], None]


def add_compose(app: typer.Typer) -> None:
    @app.command()
    def compose(
        text: Annotated[
            str, typer.Argument(help="A mood, a style, what it is for: “chill”, “90 bpm jazz waltz in F”.")
        ],
        listener: Listener = "local",
        style: Annotated[list[str] | None, typer.Option(help="A style; may be given several times.")] = None,
        tempo: Annotated[float | None, typer.Option(help="Beats per minute.")] = None,
        key: Annotated[str | None, typer.Option(help="For example “A minor”.")] = None,
        length: Annotated[float | None, typer.Option(help="Seconds.")] = None,
        meter: Annotated[str | None, typer.Option(help=f"One of {', '.join(METERS)}.")] = None,
        seed: Annotated[int | None, typer.Option(help="The same request and seed give the same piece.")] = None,
        takes: Annotated[int | None, typer.Option(help="How many takes to choose from.")] = None,
        loop: Annotated[
            bool, typer.Option("--loop", help="Music that goes round: the end joins the beginning.")
        ] = False,
        like: Annotated[Path | None, typer.Option(help="A sound file to make something like.")] = None,
        mood: Annotated[str | None, typer.Option(help="Valence and arousal, each -1 to 1, such as “0.3,-0.5”.")] = None,
        novelty: Annotated[float | None, typer.Option(help="0: what you know you like; 1: surprises.")] = None,
        together: Annotated[
            list[str] | None, typer.Option("--with", help="Another listener the piece is for; several times.")
        ] = None,
        rule: Annotated[str | None, typer.Option(help="For several: mean, least misery or fair mean.")] = None,
        private: Annotated[bool, typer.Option("--private", help="Learn nothing from this piece.")] = False,
        audio_format: Format = None,
        out_dir: Annotated[Path | None, typer.Option("--out", help="A folder for the finished files.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Compose a piece of music and measure it."""
        wishes = {
            "styles": tuple(style) if style else None,
            "tempo_bpm": tempo,
            "key": key,
            "length_s": length,
            "meter": meter,
            "seed": seed,
            "takes": takes,
            "loop": loop,
            "mood": None if mood is None else _point(mood),
            "novelty": novelty,
            "blend_with": tuple(together) if together else None,
            "blend_rule": rule,
            "private": private,
        }
        run(_compose(text, wishes, listener, out_dir, audio_format, like=like, as_json=as_json))


def _point(text: str) -> tuple[float, float]:
    """Valence and arousal as typed. Raises UserError."""
    try:
        valence, arousal = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError("A mood is two numbers from -1 to 1, valence and arousal, such as “0.3,-0.5”.") from error
    return valence, arousal


async def _compose(
    text: str,
    wishes: dict[str, Any],
    listener: str,
    out_dir: Path | None,
    audio_format: str | None,
    *,
    like: Path | None,
    as_json: bool,
) -> None:
    chosen = settings(format=audio_format)
    wishes["takes"] = chosen.takes if wishes["takes"] is None else wishes["takes"]
    if out_dir is not None:
        prepare_out(out_dir)
    async with open_app(chosen) as app:
        if like is not None:
            likeness = await app.service.liken(like)
            say(f"Heard in {like.name}: {likeness.sentence}.")
            wishes = likeness.wishes() | {name: wish for name, wish in wishes.items() if wish is not None}
        request = app.service.request(text, **wishes)
        track, proposal = await compose_here(app, listener, request)
    if chosen.format not in track.files:
        raise EngineError(
            f"Another process made track {track.id}, without {chosen.format}; set TUNESMITH_FORMAT there."
        )
    where = await asyncio.to_thread(deliver, track, out_dir) if out_dir is not None else track.dir
    if as_json:
        print_json(as_contract(track, proposal, where))
    else:
        show_track(track, where)
    require_verified(track)


async def compose_here(app: App, listener: str, request: Request) -> tuple[TrackRecord, dict[str, Any]]:
    """The finished track and its proposal; progress on standard error.

    Raises EngineError with the sentence when it fails; stopping this process cancels the job.
    """
    job, _ = await app.service.compose(listener, request, limited=False)
    try:
        async with open_runner(app, slots=1) as runner:
            work = asyncio.create_task(runner.run_only(job.id))
            try:
                job = await _watch(app, job.id, work)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
    except asyncio.CancelledError:
        await app.queue.cancel(job.id)
        raise
    if job.state is State.CANCELLED:
        raise JobCancelled("The piece was cancelled.")
    if job.state is State.FAILED:
        raise (UserError if job.proposal is None else EngineError)(job.error or "The piece could not be made.")
    return await app.service.track(job.id), job.proposal or {}


async def _watch(app: App, job_id: str, work: asyncio.Task[None]) -> Job:
    with _progress() as show:
        echoed = False
        async for job in follow(app, job_id, work):
            if job.proposal is not None and not echoed:
                echoed = True
                echo(job.proposal)
            show(job)
    return job


async def follow(app: App, job_id: str, work: asyncio.Task[None]) -> AsyncIterator[Job]:
    """The job again and again until it is over; raises what `work` raised.

    Another process on the same home may be the one that does the work; the row says how far it is.
    """
    while True:
        await asyncio.wait([work], timeout=_LOOK_S)
        if work.done():
            work.result()
        job = await app.service.job(job_id)
        yield job
        if job.finished:
            return


def _progress() -> AbstractContextManager[Show]:
    return _Bars() if err.is_terminal else nullcontext(_lines())


class _Bars:
    """One bar per stage, on a terminal."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
        self._bars = Progress(*columns, TimeElapsedColumn(), console=err)
        self._stages: dict[str, TaskID] = {}

    def __enter__(self) -> Show:
        self._bars.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _show(self, job: Job) -> None:
        stage = job.stage or ("waiting" if job.state is State.QUEUED else "starting")
        if job.finished:
            stage = "done"
        if stage not in self._stages:
            for task in self._stages.values():
                self._bars.stop_task(task)
            self._stages[stage] = self._bars.add_task(stage, total=1.0)
        self._bars.update(self._stages[stage], completed=job.fraction)


def _lines() -> Show:
    """One line per stage, where standard error is no terminal."""
    seen: set[str] = set()

    def show(job: Job) -> None:
        if job.stage and job.stage not in seen:
            seen.add(job.stage)
            say(f"{job.stage} {job.fraction:.0%}")

    return show


def echo(proposal: dict[str, Any]) -> None:
    """What was understood, and the words that were not."""
    if proposal["heard"]:
        say(f"Heard: {', '.join(proposal['heard'])}.")
    if proposal["unknown"]:
        say(f"Not understood: {', '.join(f'“{word}”' for word in proposal['unknown'])}.")


def as_contract(track: TrackRecord, proposal: dict[str, Any], where: Path) -> dict[str, Any]:
    """The JSON object others rely on; paths are absolute."""
    roles = {role: _relative(track, names) for role, names in track.files.items()}
    return {
        "track_id": track.id,
        "dir": str(where.absolute()),
        "files": {role: absolute(where.absolute(), names) for role, names in roles.items()},
        "brief": track.brief,
        "why": list(track.why),
        "measured": track.measured,
        "timings_s": track.timings_s,
        "title": track.title,
        "seed": track.brief["seed"],
        "listener": track.listener_id,
        "heard": proposal.get("heard", []),
        "unknown": proposal.get("unknown", []),
    }


def _relative(track: TrackRecord, names: Any) -> Any:
    if isinstance(names, list):
        return [str(Path(name).relative_to(track.dir)) for name in names]
    return str(Path(names).relative_to(track.dir))


def show_track(track: TrackRecord, where: Path) -> None:
    out.print(f"[bold]{track.title}[/bold]  (track {track.id}, seed {track.brief['seed']})")
    for reason in track.why:
        out.print(f"  • {reason}", markup=False)
    table = Table("measured", "value", show_edge=False)
    for name, value in track.measured.items():
        if isinstance(value, float):
            table.add_row(name, f"{value:.2f}")
        elif isinstance(value, (str, int)):
            table.add_row(name, str(value))
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            table.add_row(name, ", ".join(value))
    out.print(table)
    out.print(str(where.absolute() / "track.mp3"), markup=False, soft_wrap=True)


def require_verified(track: TrackRecord) -> None:
    """Raises EngineError when the finished audio did not pass every gate."""
    if not track.verified:
        failed = [name for name, passed in track.measured.get("gates", {}).items() if not passed]
        raise EngineError(f"The piece is there but did not pass every check: {', '.join(failed) or 'not verified'}.")
