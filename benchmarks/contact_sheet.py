"""`python -m benchmarks.contact_sheet`: a picture of what every style makes of a Brief, for the documents."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.arrange import arranged, brief_of
from generator.arrange.style import load_style
from generator.brief import writable_styles
from generator.errors import GeneratorError
from generator.model import checkpoint
from generator.produce.contact_sheet import contact_sheet

LENGTH_S = 45.0


def main() -> int:
    """0 when the picture is there, 2 with a sentence when it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_sheet", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/styles.png"))
    parser.add_argument("--text", default="hopeful", help="the mood that every style is asked for")
    chosen = parser.parse_args()
    try:
        model, _ = checkpoint.load()
        pieces = [
            (load_style(style).label, arranged(model, brief_of(style, chosen.text, LENGTH_S), 1)[0])
            for style in writable_styles()
        ]
        contact_sheet(pieces, chosen.out)
    except GeneratorError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{chosen.out}, {chosen.out.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
