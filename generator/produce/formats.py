"""The other formats a piece is delivered in: Opus, FLAC and WAV, each with the tags and the cover that it can hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from generator.produce.encode import encode_mp3, export
from generator.produce.files import whole_file
from generator.produce.tags import COVER_SIZE, Tags, add_id3, id3_of, metadata, picture_block, small_cover
from generator.render.timing import SAMPLE_RATE

FORMATS = ("mp3", "opus", "flac", "wav")
_CODECS = {
    "opus": ("-c:a", "libopus", "-b:a", "160k"),
    "flac": ("-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24"),
    "wav": ("-c:a", "pcm_s24le"),
}


def encode_as(kind: str, audio: Tensor, path: Path, tags: Tags, cover: Path | None = None) -> None:
    """Write audio [2, n] at 44.1 kHz as one of FORMATS, the same bytes for the same samples.

    Opus has 160 kbit/s, FLAC and WAV 24 bits. Raises EncodeError as `encode_mp3` does; nothing half-written stays.
    """
    if kind == "mp3":
        encode_mp3(audio, path, tags, cover)
        return
    with tempfile.TemporaryDirectory() as folder, whole_file(path) as place:
        options = _described(kind, tags, cover, Path(folder))
        export(audio, place, kind, parameters=[*options, *_CODECS[kind], "-threads", "1", "-fflags", "+bitexact",
                                               "-flags:a", "+bitexact"])  # fmt: skip
        if kind == "wav":
            add_id3(place, _id3(tags, cover, Path(folder)))


def _described(kind: str, tags: Tags, cover: Path | None, folder: Path) -> list[str]:
    """ffmpeg's options for tags and cover, which lie in files: a command line is too short for pictures."""
    fields = tags.to_dict()
    options: list[str] = []
    if cover is not None and kind != "wav":
        jpeg = small_cover(cover, COVER_SIZE)
        if kind == "opus":
            fields["METADATA_BLOCK_PICTURE"] = picture_block(jpeg, COVER_SIZE)
        else:
            (folder / "cover.jpg").write_bytes(jpeg)
            options = ["-i", str(folder / "cover.jpg")]
    shown = folder / "tags.txt"
    shown.write_text(metadata(fields), encoding="utf-8")
    source = 2 if options else 1
    picture = ["-map", "1:v", "-c:v", "copy", "-disposition:v", "attached_pic"] if options else []
    return [*options, "-f", "ffmetadata", "-i", str(shown), "-map", "0:a", *picture, "-map_metadata", str(source)]


def _id3(tags: Tags, cover: Path | None, folder: Path) -> bytes:
    """The tag of an MP3 with the same tags."""
    brief = folder / "tagged.mp3"
    encode_mp3(torch.zeros(2, SAMPLE_RATE // 10), brief, tags, cover)
    return id3_of(brief.read_bytes())
