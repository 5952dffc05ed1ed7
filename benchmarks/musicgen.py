"""The `musicgen` table: seconds of work for a second of music, ours beside MusicGen-small's architecture.

The other model has its published sizes (text encoder, 24-layer decoder, codec at 32 kHz) and random weights: how long
it computes does not depend on what it has learned. Both run on the processor, one after the other. To be installed for
it: `pip install -e '.[peers]' -c constraints.txt`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import Must, Options, Result, Rows, cpu_s
from benchmarks.sound import SEED, brief_of
from bot.settings import load_settings
from generator.brief import Brief, writable_styles
from generator.errors import GeneratorError
from generator.pipeline import compose_track
from generator.render.sounds import find_soundfont

_ASKED_S, _OURS_S = 3.0, 60.0
_FRAMES_PER_S = 50
_WORDS = 16  # tokens of a short prompt
_GUIDANCE = 3.0  # as the model's own generation settings
_RATIO = 200.0
_COLUMNS = {"who": "who", "music_s": "music s", "wall_s": "wall s", "cpu_s": "CPU s", "per_s": "wall s a second"}


@dataclass(frozen=True, slots=True)
class _Timed:
    music_s: float
    wall_s: float
    cpu_s: float

    def row(self, who: str) -> dict[str, Any]:
        return {"who": who, "music_s": self.music_s, "wall_s": self.wall_s, "cpu_s": self.cpu_s, "per_s": self.per_s}

    @property
    def per_s(self) -> float:
        return self.wall_s / self.music_s

    def and_then(self, other: _Timed) -> _Timed:
        return _Timed(self.music_s + other.music_s, self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


def run(options: Options) -> Result:
    """Raises GeneratorError where transformers is not installed."""
    asked_s = 1.0 if options.quick else _ASKED_S
    styles = ("pop",) if options.quick else writable_styles()
    _warm(styles)
    before = _ours(styles)
    theirs, size = _theirs(asked_s)
    ours = before.and_then(_ours(styles))
    ratio = theirs.per_s / ours.per_s
    rows = [ours.row("Tunesmith, whole pieces"), theirs.row("MusicGen-small's architecture")]
    return Result(
        "musicgen",
        [Rows("A second of music", _COLUMNS, rows)],
        [Must("time for a second of music, theirs to ours", f">= {_RATIO:.0f}", f"{ratio:.0f}", ratio >= _RATIO)],
        [
            f"Ours: takes of {_OURS_S:.0f} s of every style, warm, from the brief to mastered, checked, written files.",
            "All of them before the other's work and once more after it: the speed of a machine drifts.",
            f"Theirs: {size:.0f} M parameters, guidance {_GUIDANCE:g}, from words to samples, not written.",
        ],
    )


def _warm(styles: Sequence[str]) -> None:
    """Compose a piece of every style, as the bot's worker has before."""
    _pieces([brief_of(style, "happy", SEED + 1, _OURS_S) for style in styles])


def _ours(styles: Sequence[str]) -> _Timed:
    """A piece of every style."""
    briefs = [brief_of(style, "happy", SEED, _OURS_S) for style in styles]
    return _timed(lambda: _pieces(briefs))


def _pieces(briefs: Sequence[Brief]) -> float:
    settings = load_settings()
    torch.set_num_threads(settings.threads_per_worker)
    soundfont = find_soundfont(settings.home, settings.soundfont)
    with tempfile.TemporaryDirectory() as folder:
        for brief in briefs:
            compose_track(brief, Path(folder) / brief.style, track_id=brief.style, takes=1, soundfont=soundfont)
    return _OURS_S * len(briefs)


def _theirs(asked_s: float) -> tuple[_Timed, float]:
    """With all threads there are. Also the millions of parameters."""
    torch.set_num_threads(os.cpu_count() or 1)
    model = _musicgen()
    return _timed(lambda: _generate(model, asked_s)), _millions(model)


def _timed(work: Callable[[], float]) -> _Timed:
    """`work` gives the seconds of music that it made."""
    began, used = time.perf_counter(), cpu_s()
    music_s = work()
    return _Timed(music_s, time.perf_counter() - began, cpu_s() - used)


def _musicgen() -> Any:
    """The model with random weights. Raises GeneratorError where transformers is not installed."""
    try:
        import transformers as hf  # noqa: PLC0415 -- an optional peer, for this table alone
    except ImportError as error:
        raise GeneratorError(
            "This table needs the optional peers: pip install -e '.[peers]' -c constraints.txt."
        ) from error
    torch.manual_seed(SEED)
    words = hf.T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    codec = hf.EncodecConfig(
        target_bandwidths=[2.2], sampling_rate=32000, audio_channels=1, num_filters=64, upsampling_ratios=[8, 5, 4, 4],
        codebook_size=2048, use_causal_conv=False,
    )  # fmt: skip
    sizes = hf.MusicgenConfig(
        text_encoder=words, audio_encoder=codec, decoder=hf.MusicgenDecoderConfig()
    )  # the decoder's defaults are the small one's
    model = hf.MusicgenForConditionalGeneration(sizes).eval()
    start = sizes.decoder.pad_token_id
    model.generation_config.update(
        decoder_start_token_id=start, bos_token_id=start, pad_token_id=start, eos_token_id=None
    )
    return model


def _millions(model: Any) -> float:
    return float(sum(weights.numel() for weights in model.parameters())) / 1e6


def _generate(model: Any, asked_s: float) -> float:
    words = torch.randint(5, 30000, (1, _WORDS), generator=torch.Generator().manual_seed(SEED))
    with torch.inference_mode():
        made = model.generate(
            input_ids=words, attention_mask=torch.ones_like(words), do_sample=True, guidance_scale=_GUIDANCE,
            max_new_tokens=round(asked_s * _FRAMES_PER_S),
        )  # fmt: skip
    return float(made.shape[-1]) / float(model.config.audio_encoder.sampling_rate)
