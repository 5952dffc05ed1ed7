"""A corpus to measure with: a built one, or the data sets, from which one is built for the occasion."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from generator.corpus.build import build
from generator.corpus.shards import MANIFEST, Corpus, open_corpus


def corpus_at(folder: Path) -> Corpus:
    """Open a corpus folder; build one in a temporary folder from a folder of data sets, which takes minutes.

    Raises CorpusError when it is neither.
    """
    if (folder / MANIFEST).is_file():
        return open_corpus(folder)
    target = Path(tempfile.mkdtemp(prefix="tunesmith-corpus-"))
    Console(stderr=True, highlight=False).print(f"building a corpus from {folder} in {target}, about ten minutes")
    return build([folder], target)
