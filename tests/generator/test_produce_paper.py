"""Pictures and pages are drawn by a process of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generator.errors import EncodeError
from generator.produce.paper import PAPERS, SMALL_COVER, Draughtsman, draw
from generator.produce.tags import small_cover
from tests.generator.making_audio import brief, score

PIECE, BRIEF = score(bars=4), brief("jazz")
_PARENT = """
import sys, time
from generator.produce.paper import DRAUGHTSMAN
DRAUGHTSMAN.start()
print(DRAUGHTSMAN._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def draughtsman():
    drawing = Draughtsman()
    yield drawing
    drawing.stop()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_draws_what_would_be_drawn_here(draughtsman, tmp_path):
    for folder in ("here", "there", "again"):
        (tmp_path / folder).mkdir()
    draw(PIECE, BRIEF, tmp_path / "here")
    draughtsman.draw(PIECE, BRIEF, tmp_path / "there")
    draughtsman.draw(PIECE, BRIEF, tmp_path / "again")
    here = contents(tmp_path / "here")
    assert here.keys() == {*PAPERS.values(), SMALL_COVER}
    assert contents(tmp_path / "there") == contents(tmp_path / "again") == here


def test_what_goes_wrong_there_is_said_here_and_it_draws_on(draughtsman, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EncodeError, match="cannot be written"):
        draughtsman.draw(PIECE, BRIEF, tmp_path / "file" / "within")
    draughtsman.draw(PIECE, BRIEF, tmp_path)
    assert contents(tmp_path).keys() >= set(PAPERS.values())


def test_when_it_is_killed_the_piece_is_drawn_all_the_same(draughtsman, tmp_path):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        draughtsman.start()
        os.kill(draughtsman._process.pid, signal.SIGKILL)
        draughtsman.draw(PIECE, BRIEF, tmp_path / folder)
    assert contents(tmp_path / "first") == contents(tmp_path / "second") != {}


def test_where_no_process_can_be_started_the_piece_is_drawn_here(draughtsman, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    draughtsman.start()
    draughtsman.draw(PIECE, BRIEF, tmp_path)
    assert contents(tmp_path).keys() >= set(PAPERS.values())


def test_it_ends_with_whoever_started_it():
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True) as parent:
        drawing = int(parent.stdout.readline())
        os.kill(drawing, 0)
        parent.kill()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            os.kill(drawing, 0)
            if "Z" in Path(f"/proc/{drawing}/stat").read_text().rpartition(")")[2].split()[0]:
                return  # dead; whoever adopted it has not looked yet
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    pytest.fail("it outlives its parent")


def test_a_cover_that_fits_is_not_made_smaller_twice(tmp_path):
    draw(PIECE, BRIEF, tmp_path)
    assert small_cover(tmp_path / SMALL_COVER, 640) == (tmp_path / SMALL_COVER).read_bytes()
    assert small_cover(tmp_path / SMALL_COVER, 320) != (tmp_path / SMALL_COVER).read_bytes()
