"""One command prints one table and exits non-zero when a must of it fails."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from bot.errors import UserError
from generator.errors import GeneratorError

TABLES = (
    "arrange", "bot", "compose", "composer", "corpus", "crash", "history", "jsb", "musicgen", "originality", "sound",
    "taste",
)  # fmt: skip
"""Modules of this package; each has `run(options) -> Result`. Loaded when chosen: they bring torch."""


def main(arguments: list[str] | None = None) -> int:
    """0 when every must holds, 1 when one fails, 2 when the table cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Tunesmith; print one table.")
    parser.add_argument("name", help=f"one of {', '.join(TABLES)}")
    parser.add_argument("--quick", action="store_true", help="fewer pieces, the same musts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="composer, corpus, jsb, originality: the data sets or a built corpus"
    )
    parser.add_argument("--generator", action="store_true", help="taste: also listeners of composed pieces; minutes")
    chosen = parser.parse_args(arguments)
    if chosen.name not in TABLES:
        print(f"There is no table “{chosen.name}”; choose from {', '.join(TABLES)}.", file=sys.stderr)
        return 2
    from benchmarks.result import Options, Result  # noqa: PLC0415 -- as above

    try:
        table = import_module(f"benchmarks.{chosen.name}")
        result: Result = table.run(Options(quick=chosen.quick, data=chosen.data, generator=chosen.generator))
    except (GeneratorError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    result.show()
    if chosen.json is not None:
        result.write(chosen.json)
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
