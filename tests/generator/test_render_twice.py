"""The same seed gives the same samples in another process, with as many hands as there are."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from generator.produce.encode import decode

_CHILD = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from generator import hands
hands.MOST = int(sys.argv[2])
from generator.pipeline import compose_track
from tests.generator.scores import brief
asked = brief("pop", tempo_bpm=110.0, key="C major", length_s=10.0, seed=5)
compose_track(asked, Path(sys.argv[1]), track_id="t")
"""


def stems(folder: Path, hands: int, hash_seed: int) -> dict[str, str]:
    """Digests of the samples of every stem of a piece that a process of its own composes."""
    subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), str(hands)],
        check=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": str(hash_seed)},
    )
    return {
        path.name: hashlib.sha256(decode(path)[0].numpy().tobytes()).hexdigest()
        for path in sorted((folder / "stems").iterdir())
    }


def test_two_processes_make_the_same_samples(tmp_path):
    first = stems(tmp_path / "one", hands=2, hash_seed=1)
    assert len(first) >= 4
    assert stems(tmp_path / "two", hands=1, hash_seed=2) == first
