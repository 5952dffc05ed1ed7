"""What is made of the score alone, cover and pages, in a process of its own.

Drawing holds Python's lock for most of a second, and the music would wait for it. The process starts with the first
piece, draws for every further one, and ends with whoever started it: when its standard input does. It needs no torch,
and 50 MB.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from generator.brief import Brief
from generator.memory import give_back
from generator.notation.abc import write_abc
from generator.notation.exact import write_exact
from generator.notation.midi import write_midi
from generator.notation.musicxml import write_musicxml
from generator.produce.pictures import cover, leadsheet, piano_roll
from generator.produce.tags import COVER_SIZE, jpeg
from generator.score import Score

SCORE = "score.json"
"""The exact score in a track's folder; what the track is edited from."""
COVER, LEADSHEET = "cover.png", "leadsheet.png"
PAPERS = {
    "cover": COVER, "mid": "track.mid", "musicxml": "track.musicxml", "abc": "track.abc", "score": SCORE,
    "piano_roll": "piano_roll.png", "leadsheet": LEADSHEET,
}  # fmt: skip
"""The names of the files by their kinds."""
SMALL_COVER = "cover.jpg"
"""The cover as files of sound carry it; nothing that is published."""
_MODESTY = 5  # of 19; more, and a busy server would wait for its pages


def draw(score: Score, brief: Brief, folder: Path) -> None:
    """Write PAPERS and SMALL_COVER. Raises EncodeError and NotationError."""
    image = cover(score, brief, folder / COVER)
    (folder / SMALL_COVER).write_bytes(jpeg(image, COVER_SIZE))
    write_midi(score, folder / PAPERS["mid"])
    write_musicxml(score, folder / PAPERS["musicxml"])
    write_abc(score, folder / PAPERS["abc"])
    write_exact(score, folder / PAPERS["score"])
    piano_roll(score, folder / PAPERS["piano_roll"])
    leadsheet(score, folder / LEADSHEET)


class Draughtsman:
    """The process that draws, from this side. One piece at a time, whichever threads ask."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Let it be ready when it is needed; where that fails now, `draw` tries again."""
        with self._turn, suppress(OSError):
            self._started()

    def draw(self, score: Score, brief: Brief, folder: Path) -> None:
        """`draw`, there; here when the process is lost. Raises as that does."""
        with self._turn:
            try:
                orders, answers = self._started()
                pickle.dump((score, brief, folder), orders)
                orders.flush()
                error = pickle.load(answers)  # noqa: S301 - from our own process
            except (OSError, EOFError, pickle.UnpicklingError):  # it was killed; the next piece starts another
                self._stop()
                error = None
                draw(score, brief, folder)
        if error is not None:
            raise error

    def stop(self) -> None:
        """End it after what it has in hand."""
        with self._turn:
            self._stop()

    def _started(self) -> tuple[IO[bytes], IO[bytes]]:
        """Where orders go and answers come from."""
        if self._process is None:
            command = [sys.executable, "-m", __name__]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours
        return cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                process.communicate()


DRAUGHTSMAN = Draughtsman()
atexit.register(DRAUGHTSMAN.stop)


def main() -> None:
    """Draw what standard input asks for, until it ends. Where the system can tell, the music goes first."""
    if hasattr(os, "nice"):
        os.nice(_MODESTY)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints
    while True:
        try:
            order = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own process
        except EOFError:
            return
        error: Exception | None = None
        try:
            draw(*order)
        except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
            error = raised
        pickle.dump(error, answers)
        answers.flush()
        give_back()


if __name__ == "__main__":
    main()
