"""What a file says of itself: title, genre, notice, cover and provenance, in the way each container wants them.

Vorbis comments (Opus, FLAC) and ID3v2.3 (MP3, WAV) are written by ffmpeg; the two things it leaves out, the picture
of an Opus file (RFC 7845 section 5.2) and the ID3 chunk of a WAV file, are put together here.
"""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from generator.errors import EncodeError

COVER_SIZE = 640
"""Pixels of the picture inside a file."""
_FRONT_COVER = 3
_ESCAPED = "\\=;#\n"


@dataclass(frozen=True, slots=True)
class Tags:
    """What players show of a piece; `comment` carries the AI notice and the seed, `provenance` compact JSON."""

    title: str
    genre: str
    comment: str
    artist: str = "Tunesmith"
    provenance: str = ""

    def to_dict(self) -> dict[str, str]:
        shown = {"title": self.title, "artist": self.artist, "genre": self.genre, "comment": self.comment}
        return shown | ({"provenance": self.provenance} if self.provenance else {})


def metadata(fields: dict[str, str]) -> str:
    """Fields as a file of ffmpeg's metadata format; values may be longer than a command line takes."""
    lines = [f"{name}={_escaped(value)}" for name, value in fields.items()]
    return "\n".join([";FFMETADATA1", *lines]) + "\n"


def _escaped(value: str) -> str:
    return "".join(f"\\{character}" if character in _ESCAPED else character for character in value)


def small_cover(cover: Path, size: int) -> bytes:
    """The cover as players want it: a JPEG that does not double the size of the file; what is one already stays as it
    is. Raises EncodeError."""
    try:
        with Image.open(cover) as image:
            if image.format == "JPEG" and image.size == (size, size):
                return cover.read_bytes()
            return jpeg(image.convert("RGB"), size)
    except OSError as error:
        raise EncodeError(f"The cover {cover.name} cannot be read.") from error


def jpeg(image: Image.Image, size: int) -> bytes:
    """A picture of so many pixels a side."""
    packed = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(packed, "JPEG", quality=88)
    return packed.getvalue()


def picture_block(jpeg: bytes, size: int) -> str:
    """FLAC's picture block in Base64, as the Vorbis comment METADATA_BLOCK_PICTURE holds it."""
    kind = b"image/jpeg"
    head = struct.pack(">II", _FRONT_COVER, len(kind)) + kind + struct.pack(">I", 0)
    return base64.b64encode(head + struct.pack(">5I", size, size, 24, 0, len(jpeg)) + jpeg).decode("ascii")


def id3_of(mp3: bytes) -> bytes:
    """The ID3v2 tag an MP3 opens with; empty where it has none."""
    if mp3[:3] != b"ID3":
        return b""
    size = 0
    for byte in mp3[6:10]:  # seven bits each
        size = size << 7 | byte & 0x7F
    return mp3[: 10 + size]


def add_id3(wav: Path, tag: bytes) -> None:
    """Append an ID3 tag to a RIFF file as its `id3 ` chunk."""
    padded = tag + b"\0" * (len(tag) % 2)
    with wav.open("r+b") as file:
        file.seek(0, io.SEEK_END)
        file.write(b"id3 " + struct.pack("<I", len(tag)) + padded)
        end = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", end - 8))
