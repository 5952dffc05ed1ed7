"""The command line: `tunesmith`, or `python -m bot`. Puts the groups together and turns errors into sentences."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli import context
from bot.cli.compose import add_compose
from bot.cli.corpus import add_corpus
from bot.cli.demo import add_demo
from bot.cli.doctor import add_doctor
from bot.cli.link import add_link
from bot.cli.operate import add_operate
from bot.cli.remake import add_edit, add_render
from bot.cli.serve import add_serve
from bot.cli.taste import add_taste
from bot.cli.train import add_train
from bot.errors import BotError, UserError
from bot.logs import logger
from generator.errors import GeneratorError

_BAD_INPUT, _FAILED, _INTERRUPTED = 2, 1, 130


def build() -> typer.Typer:
    app = typer.Typer(
        name="tunesmith",
        help="Personal music from a few words; runs on your own machine.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def everywhere(
        home: Annotated[Path | None, typer.Option(help="Where everything is kept; default: $TUNESMITH_HOME.")] = None,
    ) -> None:
        context.Chosen.home = home

    for add in (
        add_demo,
        add_compose,
        add_render,
        add_edit,
        add_taste,
        add_link,
        add_serve,
        add_doctor,
        add_operate,
        add_corpus,
        add_train,
    ):
        add(app)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    try:
        code = build()(args=arguments, standalone_mode=False, prog_name="tunesmith")
    except UserError as error:
        context.say(str(error))
        return _BAD_INPUT
    except (BotError, GeneratorError) as error:
        context.say(str(error))
        return _FAILED
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        context.say("Stopped.")
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: no traceback reaches a person
        return _last_words(error)
    return code if isinstance(code, int) else 0


def _last_words(error: Exception) -> int:
    # Typer's own errors (a wrong option, a missing argument) say what is wrong and which code to leave with.
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context.say(str(error.format_message()).rstrip(".") + ".")
        return int(error.exit_code)
    logger(__name__).debug("failed by a mistake of ours", exc_info=error)
    context.say(
        f"Something went wrong on our side ({type(error).__name__}: {error}); TUNESMITH_LOG_LEVEL=debug tells more."
    )
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
