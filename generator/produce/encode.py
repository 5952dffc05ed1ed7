"""Files of sound: MP3 with tags and cover, FLAC stems, and reading any of them back.

What listeners get is coded by one ffmpeg, the system's or the one imageio-ffmpeg carries, as a separate process; stems
are written, and files read back, in this one.
"""

from __future__ import annotations

import errno
import io
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from generator import blocks
from generator.errors import EncodeError
from generator.produce.ffmpeg import find_ffmpeg
from generator.produce.files import whole_file
from generator.produce.tags import COVER_SIZE, Tags, small_cover
from generator.render.timing import SAMPLE_RATE

with warnings.catch_warnings():  # pydub looks for ffmpeg on import, before it can be told where ours is
    warnings.simplefilter("ignore")
    from pydub import AudioSegment

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FLAC_EFFORT = 0.5  # of 1: as small as a higher one leaves it, to half a percent
_LAME_QUALITY = "5"
"""Of 0 … 9, 0 the slowest. Against LAME's usual 3 the noise is 0.08 dB nearer to the masking threshold (noise to mask
after BS.1387, mean of 14 styles), as many frames are disturbed, and it takes an eighth less time."""
_PIECE = 1 << 14
_HIGHEST = 1.0 - 2.0**-24  # the largest sample below full scale


def encode_mp3(audio: Tensor, path: Path, tags: Tags, cover: Path | None = None, bitrate_kbps: int = 192) -> None:
    """Write audio [2, n] at 44.1 kHz as MP3, the same bytes for the same samples.

    Raises EncodeError when ffmpeg is missing or fails, or the file cannot be written; nothing half-written stays.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "cover.jpg"
        if cover is not None:
            picture.write_bytes(small_cover(cover, COVER_SIZE))
        export(
            audio,
            path,
            "mp3",
            bitrate=f"{bitrate_kbps}k",
            tags=tags.to_dict(),
            cover=str(picture) if cover is not None else None,
            id3v2_version="3",
            parameters=["-threads", "1", "-fflags", "+bitexact", "-compression_level", _LAME_QUALITY],
        )


def encode_flac(audio: Tensor, path: Path) -> None:
    """Write audio [2, n] at 44.1 kHz as 24-bit FLAC, the same bytes for the same samples.

    libFLAC does so in this process, in half the time of an ffmpeg beside it. Raises EncodeError when the file cannot be
    written; nothing half-written stays.
    """
    blocks.sound(audio, f"The sound for {path.name}")
    packed = io.BytesIO()  # libFLAC does not say when the end of a file found no room on the disk
    with soundfile.SoundFile(
        packed, "w", SAMPLE_RATE, len(audio), "PCM_24", format="FLAC", compression_level=_FLAC_EFFORT
    ) as file:
        for piece in _pcm(audio):
            file.write(piece)
    with whole_file(path) as place:
        place.write_bytes(packed.getbuffer())


def _pcm(audio: Tensor) -> Iterator[NDArray[np.int32]]:
    """Audio [2, n] as 32-bit samples [some, 2]; exact, since 2^31 only moves the binary point."""
    for at in range(0, audio.shape[-1], _PIECE):
        piece = audio[:, at : at + _PIECE].detach().cpu().clamp(-1.0, _HIGHEST)
        yield torch.stack(piece.mul_(2.0**31).to(torch.int32).unbind(), 1).numpy()


def decode(path: Path) -> tuple[Tensor, int]:
    """Any audio file as float32 [2, n] and its rate. Raises EncodeError when it cannot be read.

    libsndfile reads in this process what it knows and what needs no conversion, ffmpeg all the rest.
    """
    with suppress(soundfile.SoundFileError, OSError), soundfile.SoundFile(path) as file:
        if (file.samplerate, file.channels) == (SAMPLE_RATE, 2):
            return torch.from_numpy(file.read(dtype="float32").T.copy()), SAMPLE_RATE
    return _decode_by_ffmpeg(path)


def _decode_by_ffmpeg(path: Path) -> tuple[Tensor, int]:
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0"]
    command += ["-f", "f32le", "-ac", "2", "-ar", str(SAMPLE_RATE), "-"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own ffmpeg, no shell
    except (OSError, subprocess.CalledProcessError) as error:
        raise EncodeError(f"The audio file {path.name} cannot be read.") from error
    samples = np.frombuffer(done.stdout, "<f4").reshape(-1, 2).T.copy()
    return torch.from_numpy(samples), SAMPLE_RATE


def export(audio: Tensor, path: Path, kind: str, **options: object) -> None:
    """Through pydub's `export` with its options, at 32 bits: 16 would cost 48 dB of precision.

    Raises EncodeError, and SoundError for samples that are no numbers; nothing half-written stays.
    """
    blocks.sound(audio, f"The sound for {path.name}")
    AudioSegment.converter = find_ffmpeg()
    samples = np.empty((audio.shape[-1], 2), np.int32)
    for number, piece in enumerate(_pcm(audio)):
        samples[number * _PIECE :][: len(piece)] = piece
    segment = AudioSegment(data=samples.data.cast("B"), sample_width=4, frame_rate=SAMPLE_RATE, channels=2)
    with whole_file(path) as place:
        try:
            with place.open("wb+") as file:
                segment.export(file, format=kind, **options)
        except OSError as error:
            if error.errno in _FULL:
                raise
            raise EncodeError(f"ffmpeg could not be started: {error.strerror or error}.") from error
        except Exception as error:  # pydub has one exception of its own for any failure of ffmpeg
            raise EncodeError(f"ffmpeg could not write {path.name}.") from error
