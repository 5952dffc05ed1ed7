"""Finding and fetching the soundfont."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from generator.errors import SoundError
from generator.render import sounds
from tests.generator.making_audio import loop, package, soundfont


@pytest.fixture
def font_bytes(tmp_path):
    return soundfont(tmp_path / "made.sf2", [(loop(), 100, 300, 69)], [{}]).read_bytes()


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No soundfont in the system's places, and no programs but our own."""
    monkeypatch.setattr(sounds, "USUAL_PLACES", (tmp_path / "none.sf2",))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def apt(place: Path, script: str):
    program = place / "bin" / "apt-get"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_the_preferred_font_comes_first_then_the_systems_then_ours(nowhere, font_bytes, monkeypatch):
    home = nowhere / "home"
    assert sounds.find_soundfont(home) is None
    ours = home / "sounds" / sounds.FILE_NAME
    ours.parent.mkdir(parents=True)
    ours.write_bytes(font_bytes)
    assert sounds.find_soundfont(home) == ours
    system = nowhere / "system.sf2"
    system.write_bytes(font_bytes)
    monkeypatch.setattr(sounds, "USUAL_PLACES", (system,))
    assert sounds.find_soundfont(home) == system
    assert sounds.find_soundfont(home, preferred=ours) == ours


def test_a_preferred_font_that_is_none_is_refused(nowhere):
    text = nowhere / "notes.txt"
    text.write_text("not a soundfont")
    with pytest.raises(SoundError):
        sounds.find_soundfont(nowhere, preferred=text)


def test_a_package_is_unpacked_checked_and_put_in_place(tmp_path, font_bytes):
    deb = package(
        tmp_path / "f.deb", {"./usr/share/doc/x": b"words", f"./usr/share/sounds/sf2/{sounds.FILE_NAME}": font_bytes}
    )
    target = tmp_path / "home" / "sounds" / sounds.FILE_NAME
    sounds.unpack_soundfont(deb, target, hashlib.sha256(font_bytes).hexdigest())
    assert target.read_bytes() == font_bytes
    assert [path.name for path in target.parent.iterdir()] == [sounds.FILE_NAME]


@pytest.mark.parametrize("spoil", [lambda b: b"", lambda b: b"x" * 500, lambda b: b[:300], lambda b: b[: len(b) // 2]])
def test_a_damaged_package_leaves_nothing(tmp_path, font_bytes, spoil):
    deb = package(tmp_path / "f.deb", {f"./usr/share/sounds/sf2/{sounds.FILE_NAME}": font_bytes})
    deb.write_bytes(spoil(deb.read_bytes()))
    target = tmp_path / "sounds" / sounds.FILE_NAME
    with pytest.raises(SoundError):
        sounds.unpack_soundfont(deb, target, hashlib.sha256(font_bytes).hexdigest())
    assert list(target.parent.iterdir()) == []


def test_fetching_downloads_and_unpacks(nowhere, font_bytes):
    deb = package(nowhere / "f.deb", {f"./usr/share/sounds/sf2/{sounds.FILE_NAME}": font_bytes})
    apt(nowhere, f'exec /bin/cp "{deb}" ./fluid.deb')
    said = []
    found = sounds.fetch_soundfont(nowhere / "home", said.append, sha256=hashlib.sha256(font_bytes).hexdigest())
    assert found is not None
    assert found.read_bytes() == font_bytes
    assert sounds.find_soundfont(nowhere / "home") == found


@pytest.mark.parametrize("script", ["echo 'E: Unable to locate package' >&2; exit 100", "echo junk > wrong.deb"])
def test_a_failed_fetch_says_one_sentence_and_leaves_nothing(nowhere, script):
    apt(nowhere, script)
    said = []
    assert sounds.fetch_soundfont(nowhere / "home", said.append) is None
    assert len(said[1:]) == 1
    assert "synthesised" in said[-1]
    assert not any(files for _, _, files in os.walk(nowhere / "home"))


def test_a_font_with_another_checksum_is_not_kept(nowhere, font_bytes):
    deb = package(nowhere / "f.deb", {f"./usr/share/sounds/sf2/{sounds.FILE_NAME}": font_bytes})
    apt(nowhere, f'exec /bin/cp "{deb}" ./fluid.deb')
    said = []
    assert sounds.fetch_soundfont(nowhere / "home", said.append) is None
    assert "checksum" in said[-1]


def test_without_apt_it_says_so(nowhere):
    said = []
    assert sounds.fetch_soundfont(nowhere / "home", said.append) is None
    assert len(said) == 1
