"""A composer with the signature of `generator.pipeline.compose_track` and no music in it, for tests of the bot.

The MP3 is a real one second tone at the brief's seed-dependent pitch. Words in the brief's text choose what
goes wrong: "fakelong" plays for seven seconds, "fakeslow" and "fakeslower" take seconds, "fakedieonce" and
"fakedie" kill the process, "fakerefuse" refuses, "fakerefuseodd" refuses odd seeds, "fakebug" raises what nobody
expects, "fakedisk" cannot write, "fakelarge" makes a larger file.
"""

from __future__ import annotations

import io
import json
import math
import os
import signal
import struct
import time
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from pydub import AudioSegment

from generator.brief import Attributes, Brief
from generator.errors import QualityError

STAGES = ("compose", "arrange", "render", "mix", "master", "encode", "check")
RATE = 22050


@dataclass(frozen=True)
class Progress:
    stage: str
    fraction: float


@dataclass(frozen=True)
class FakeTrack:
    data: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.data


def compose_track(
    brief: Brief,
    out_dir: Path,
    *,
    track_id: str,
    takes: int = 2,
    rank: Callable[[Sequence[Attributes]], Sequence[float]] | None = None,
    soundfont: Path | None,
    on_progress: Callable[[Progress], None],
    delivery: object = None,
) -> FakeTrack:
    del soundfont, delivery
    _misbehave(brief.text, brief.seed, out_dir, track_id)
    attributes = _attributes(brief)
    if rank is not None:
        assert len(list(rank([attributes] * takes))) == takes
    for number, stage in enumerate(STAGES, start=1):
        if "fakeslow" in brief.text:
            time.sleep(1.0 if "fakeslower" in brief.text else 0.25)
        on_progress(Progress(stage, number / len(STAGES)))
    out_dir.mkdir(parents=True, exist_ok=True)
    (out_dir / "stems").mkdir(exist_ok=True)
    (out_dir / "track.mp3").write_bytes(
        tone_mp3(
            220.0 + brief.seed % 200, 7.0 if "fakelong" in brief.text else 1.0, 192 if "fakelarge" in brief.text else 64
        )
    )
    for name in ("track.mid", "track.musicxml", "cover.png", "report.json", "provenance.json", "stems/lead.flac"):
        (out_dir / name).write_bytes(name.encode())
    (out_dir / "cover.png").write_bytes(_PNG)
    (out_dir / "report.json").write_text(json.dumps({"brief": brief.to_dict()}))
    return FakeTrack(_track(brief, attributes, out_dir, track_id, takes))


def edit_folder(folder: Path, changes: Mapping[str, Any], out_dir: Path, *, seed: int, **options: Any) -> FakeTrack:
    """As `generator.remake.edit_folder`: another tone, and the changes in its title."""
    report = json.loads((folder / "report.json").read_text())
    brief = replace(Brief.from_dict(report["brief"]), seed=seed)
    track = compose_track(brief, out_dir, takes=1, **options)
    track.data["title"] = f"{track.data['title']} ({', '.join(changes)})"
    return track


def tone_mp3(hz: float, seconds: float = 1.0, kbps: int = 64) -> bytes:
    AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    frames = b"".join(
        struct.pack("<h", int(12000 * math.sin(2 * math.pi * hz * n / RATE))) for n in range(int(RATE * seconds))
    )
    raw = io.BytesIO()
    with wave.open(raw, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(frames)
    out = io.BytesIO()
    AudioSegment(data=frames, sample_width=2, frame_rate=RATE, channels=1).export(out, format="mp3", bitrate=f"{kbps}k")
    return out.getvalue()


def _misbehave(text: str, seed: int, out_dir: Path, track_id: str) -> None:
    if "fakerefuse" in text and ("fakerefuseodd" not in text or seed % 2):
        raise QualityError("The finished piece did not pass its checks.")
    if "fakebug" in text:
        raise ZeroDivisionError
    if "fakedisk" in text:
        raise PermissionError(13, "Permission denied", str(out_dir))
    died = out_dir.parent.parent / f"{track_id}.died"
    if "fakedieonce" in text and not died.exists():
        died.parent.mkdir(parents=True, exist_ok=True)
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "fakedie" in text and "fakedieonce" not in text:
        os.kill(os.getpid(), signal.SIGKILL)


def _attributes(brief: Brief) -> Attributes:
    return Attributes(
        styles=brief.styles,
        valence=brief.mood.valence,
        arousal=brief.mood.arousal,
        tempo_bpm=brief.tempo_bpm,
        density=brief.density,
        minor=float(brief.key.endswith("minor")),
        acousticness=brief.acousticness,
        complexity=brief.complexity,
        brightness=brief.brightness,
        novelty=brief.novelty,
        instruments=("grand_piano",),
    )


def _track(brief: Brief, attributes: Attributes, out_dir: Path, track_id: str, takes: int) -> dict[str, Any]:
    return {
        "track_id": track_id,
        "dir": str(out_dir),
        "files": {
            "mp3": "track.mp3",
            "mid": "track.mid",
            "musicxml": "track.musicxml",
            "cover": "cover.png",
            "report": "report.json",
            "provenance": "provenance.json",
            "stems": ["stems/lead.flac"],
        },
        "brief": brief.to_dict(),
        "attributes": attributes.to_dict(),
        "title": f"Tone in {brief.key}",
        "measured": {
            "tempo_bpm": brief.tempo_bpm,
            "key": brief.key,
            "length_s": 1.0,
            "integrated_lufs": -14.0,
            "true_peak_dbtp": -1.2,
            "lra": 3.0,
            "parts": ["lead"],
            "gates": {"loudness": True},
            "verified": True,
        },
        "timings_s": dict.fromkeys(STAGES, 0.01),
        "take": 0,
        "takes": takes,
    }


_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000"
    "0500010d0a2db40000000049454e44ae426082"
)
