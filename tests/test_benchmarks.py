"""`python -m benchmarks`: what a mistyped name is told. The tables themselves are measurements, not tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_an_unknown_table_lists_what_there_is():
    command = [sys.executable, "-m", "benchmarks", "nosuch"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    said = done.stderr + done.stdout
    assert "nosuch" in said
    assert "compose" in said
    assert "composer" in said
    assert "Traceback" not in said
