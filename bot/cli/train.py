"""`train`: teach the composer anew from a licence-clean corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.context import say
from bot.errors import UserError


def add_train(app: typer.Typer) -> None:
    @app.command()
    def train(
        corpus: Annotated[Path, typer.Option(help="The folder that “tunesmith corpus build” wrote.")],
        out: Annotated[Path | None, typer.Option(help="Where the weights go; default: the shipped place.")] = None,
        size: Annotated[str, typer.Option(help="small (about 6 million parameters) or base (about 32).")] = "small",
        minutes: Annotated[float, typer.Option(min=0.01, help="Wall-clock time to train for.")] = 44.0,
        max_steps: Annotated[int, typer.Option(min=0, help="Stop after this many steps; 0 for none.")] = 0,
        seed: Annotated[int, typer.Option(min=0)] = 1,
    ) -> None:
        """Train the composer on a corpus; continues where an interrupted run with the same --out stopped."""
        if not corpus.is_dir():
            raise UserError(f"There is no folder {corpus}; build a corpus first with “tunesmith corpus build”.")
        from generator.model import checkpoint  # noqa: PLC0415 - torch takes seconds to import
        from generator.model.train import Settings  # noqa: PLC0415
        from generator.model.train import train as teach  # noqa: PLC0415

        chosen = Settings(corpus, out or checkpoint.SHIPPED, size=size, minutes=minutes, max_steps=max_steps, seed=seed)
        say(f"Wrote {teach(chosen, say)}")
