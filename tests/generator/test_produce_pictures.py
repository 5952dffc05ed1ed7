"""The pictures of a piece."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from generator.brief import STYLES
from generator.errors import EncodeError
from generator.produce.pictures import cover, piano_roll
from tests.generator.making_audio import brief, score

PIECE = score(bars=8)


def painted(path, style="lofi", piece=PIECE, **wishes):
    cover(piece, brief(style, **wishes), path)
    with Image.open(path) as image:
        assert image.size == (1024, 1024)
        return np.asarray(image.convert("RGB"), np.float32)


def difference(first, second):
    return float(np.abs(first - second).mean())


def small(image):
    return np.asarray(Image.fromarray(image.astype(np.uint8)).resize((64, 64), Image.Resampling.LANCZOS), np.float32)


def test_every_style_looks_different_even_small(tmp_path):
    pictures = {style: small(painted(tmp_path / f"{style}.png", style)) for style in STYLES}
    names = sorted(pictures)
    for at, one in enumerate(names):
        assert pictures[one].std() > 20, f"{one} is flat at 64 px"
        for other in names[at + 1 :]:
            assert difference(pictures[one], pictures[other]) > 12, f"{one} looks like {other}"


@pytest.mark.parametrize("style", ["lofi", "ambient", "jazz", "classical"])
def test_seed_mood_and_notes_change_the_picture_and_nothing_else_does(tmp_path, style):
    first = painted(tmp_path / "a.png", style)
    assert np.array_equal(first, painted(tmp_path / "b.png", style))
    assert difference(first, painted(tmp_path / "c.png", style, seed=8)) > 2
    assert difference(first, painted(tmp_path / "d.png", style, valence=0.9, arousal=0.9)) > 2
    tunes = replace(PIECE, parts=score(bars=8, key="F major").parts[::-1], chords=score(bars=8, key="F# major").chords)
    assert difference(first, painted(tmp_path / "e.png", style, tunes)) > 0.5


def test_a_piece_without_notes_still_has_a_cover(tmp_path):
    bare = replace(PIECE, parts=(), chords=(), sections=())
    for style in ("ambient", "classical", "synthwave", "funk"):
        assert painted(tmp_path / "x.png", style, bare).std() > 10


def test_the_piano_roll_shows_notes_in_their_colours(tmp_path):
    piano_roll(PIECE, tmp_path / "roll.png")
    piano_roll(replace(PIECE, parts=()), tmp_path / "empty.png")
    with Image.open(tmp_path / "roll.png") as roll:
        assert roll.width == 1600
        colours = {colour for count, colour in roll.convert("RGB").getcolors(1 << 20) if count > 200}
    assert len(colours) > 8


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EncodeError, match="cannot be written"):
        cover(PIECE, brief(), tmp_path / "file" / "cover.png")
