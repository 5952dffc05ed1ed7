"""`corpus build`, `corpus report` and `corpus index`: the music that the composer learns from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from bot.cli.context import AsJson, err, out, print_json, say
from bot.errors import UserError
from generator.corpus.report import SetReport, reports
from generator.corpus.shards import Corpus, open_corpus

_FILES_NAMED = 5
"""How many files the report names for one reason; `--json` names all."""


def add_corpus(app: typer.Typer) -> None:
    corpus = typer.Typer(no_args_is_help=True, help="The music that the composer learns from.")
    app.add_typer(corpus, name="corpus")

    @corpus.command()
    def build(
        sources: Annotated[list[Path], typer.Argument(help="The folder that holds the data sets, or single sets.")],
        target: Annotated[Path, typer.Option("--out", help="A new folder, or one with an unfinished build.")],
        jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 for one on each core.")] = 0,
        as_json: AsJson = False,
    ) -> None:
        """Read licence-clean data sets into one corpus; an interrupted build goes on where it stopped."""
        for source in sources:
            if not source.is_dir():
                raise UserError(f"There is no folder {source}.")
        from generator.corpus.build import build as build_corpus  # noqa: PLC0415 - brings every reader

        with _Bar() as bar:
            built = build_corpus(sources, target, jobs, bar.show)
        _print(built, as_json)

    @corpus.command()
    def report(
        folder: Annotated[Path, typer.Argument(help="The folder that “tunesmith corpus build” wrote.")],
        as_json: AsJson = False,
    ) -> None:
        """Say what a corpus holds, and which files are not in it and why."""
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.")
        _print(open_corpus(folder), as_json)

    @corpus.command()
    def index(
        folder: Annotated[Path, typer.Argument(help="The folder that “tunesmith corpus build” wrote.")],
        target: Annotated[Path | None, typer.Option("--out", help="An .npz file; default: the shipped one.")] = None,
    ) -> None:
        """Index the training melodies, which every composition is checked against. Do it before training on them."""
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.")
        from generator.measure.originality import SHIPPED, index_corpus  # noqa: PLC0415 - brings numpy

        index_corpus(folder, target or SHIPPED, say)


class _Bar:
    """A progress bar on standard error, one line for each data set."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=err)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, name: str, done: int, total: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)


def _print(corpus: Corpus, as_json: bool) -> None:
    found = reports(corpus.manifest)
    totals: dict[str, Any] = {name: corpus.manifest[name] for name in ("pieces", "seconds", "peak_mb", "missing")}
    if as_json:
        print_json({"folder": str(corpus.folder), **totals, "sets": [asdict(one) for one in found]})
        return
    out.print(_table(found))
    for one in found:
        for verdict, reasons in (("failed", one.reasons), ("left out", one.reasons_left_out)):
            for reason, paths in reasons.items():
                more = f" … and {len(paths) - _FILES_NAMED} more" if len(paths) > _FILES_NAMED else ""
                line = f"{one.name}: {len(paths)} {verdict}, {reason}: {', '.join(paths[:_FILES_NAMED])}{more}"
                out.print(line, markup=False, soft_wrap=True)
    if totals["missing"]:
        out.print(f"Not among the sources: {', '.join(totals['missing'])}", markup=False, soft_wrap=True)


def _table(found: tuple[SetReport, ...]) -> Table:
    table = Table(Column("set", no_wrap=True), box=None, padding=(0, 1, 0, 0))
    for heading in ("files", "pieces", "bars", "notes", "words", "twins", "left\nout", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        figures = one.files, one.pieces, one.bars, one.notes, one.with_lyrics, one.merged, one.left_out
        table.add_row(one.name, *map(str, figures), f"{one.failed} = {one.failed_percent:.1f} %")
    return table
