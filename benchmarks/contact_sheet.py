"""`python -m benchmarks.contact_sheet`: a picture of what every style makes of a Brief, for the documents."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.arrange import arranged, brief_of
from generator.arrange.style import load_style
from generator.brief import writable_styles
from generator.model import checkpoint
from generator.produce.contact_sheet import contact_sheet

LENGTH_S = 45.0


def main() -> None:
    """Raises GeneratorError when the weights do not load or the file cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contact_sheet", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/styles.png"))
    parser.add_argument("--text", default="hopeful", help="the mood that every style is asked for")
    chosen = parser.parse_args()
    model, _ = checkpoint.load()
    pieces = []
    for style in writable_styles():
        (score,) = arranged(model, brief_of(style, chosen.text, LENGTH_S), 1)
        pieces.append((load_style(style).label, score))
    contact_sheet(pieces, chosen.out)
    print(f"{chosen.out}, {chosen.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
