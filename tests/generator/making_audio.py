"""Small scores, soundfonts, packages and measurements for the audio tests."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import torch

from generator.brief import Brief, Key, Mood
from generator.render.timing import SAMPLE_RATE
from generator.score import Chord, Meter, Note, Part, Score, Section, TempoChange

torch.set_num_threads(1)
CPU = torch.device("cpu")
BAR = 1920

# SoundFont generator numbers.
FILTER_FC, PAN, DECAY, SUSTAIN, RELEASE, ATTACK = 8, 17, 36, 37, 38, 34
ATTENUATION, COARSE, FINE, MODE, SCALE, CLASS, ROOT = 48, 51, 52, 54, 56, 57, 58
MOD_LFO_TO_FILTER, MOD_ENV_TO_FILTER, FREQ_MOD_LFO, DECAY_MOD_ENV, SUSTAIN_MOD_ENV = 10, 11, 22, 28, 29
MOD_ENV_TO_PITCH, KEY_TO_MOD_HOLD, KEY_TO_MOD_DECAY, KEY_TO_VOL_HOLD, KEY_TO_VOL_DECAY = 7, 31, 32, 39, 40
HOLD_MOD_ENV, HOLD = 27, 35


def brief(style="lofi", *, seed=7, length_s=12.0, tempo_bpm=100.0, key="A minor", valence=0.0, arousal=0.0):
    mood = Mood(valence, arousal, ("chill",))
    return Brief(((style, 1.0),), mood, tempo_bpm, key, "4/4", length_s, seed)


def score(parts=None, *, bars=4, bpm=100.0, key="A minor"):
    """Four chords round and round; `parts` maps a role to its instrument."""
    parts = parts or {"melody": "vibraphone", "chords": "grand_piano", "bass": "upright_bass", "drums": "lofi_kit"}
    parsed = Key.parse(key)
    minor = parsed.mode == "minor"
    degrees = ((0, "m"), (8, ""), (3, ""), (7, "7")) if minor else ((0, ""), (9, "m"), (5, ""), (7, "7"))
    chords = [
        Chord(bar * BAR, BAR, (parsed.tonic + degrees[bar % 4][0]) % 12, degrees[bar % 4][1]) for bar in range(bars - 1)
    ]
    chords.append(Chord((bars - 1) * BAR, BAR, parsed.tonic, degrees[0][1]))
    notes = {role: _notes(role, chords) for role in parts}
    sections = (Section("intro", 0, 1, 0.3, "A"), Section("verse", 1, bars - 1, 0.7, "A"))
    return Score(
        "Small piece", parsed, Meter(4, 4), bars, (TempoChange(0, bpm),), tuple(chords), sections,
        tuple(Part(role, role, instrument, notes[role]) for role, instrument in parts.items()),
    )  # fmt: skip


def _notes(role, chords):
    notes = []
    for chord in chords:
        tones = chord.pitch_classes
        if role == "bass":
            notes += [Note(chord.onset + at, 420, 36 + (chord.root - 36) % 12, 90) for at in (0, 960)]
        elif role == "drums":
            notes += [Note(chord.onset + at, 120, 36, 100) for at in (0, 960)]
            notes += [Note(chord.onset + at, 120, 38, 95) for at in (480, 1440)]
            notes += [Note(chord.onset + at, 120, 42, 70) for at in range(0, BAR, 240)]
        elif role in ("chords", "pad", "texture"):
            notes += [Note(chord.onset, 1800, 60 + (tone - 60) % 12, 75) for tone in tones]
        else:
            notes += [
                Note(chord.onset + at, 440, 72 + (tones[step % len(tones)] - 72) % 12, 85)
                for step, at in enumerate((0, 480, 960, 1440))
            ]
    return tuple(notes)


def tone(hertz, seconds, rate=SAMPLE_RATE, level=0.5):
    """A sine as int16."""
    return (np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate) * level * 32767).astype("<i2")


def loop(hertz_periods=100, cycles=4, level=0.5):
    """A sine of a whole number of cycles, `hertz_periods` samples each: loops without a seam."""
    return (np.sin(2 * np.pi * np.arange(hertz_periods * cycles) / hertz_periods) * level * 32767).astype("<i2")


def soundfont(path: Path, samples, zones, *, bank=0, program=0, shared=None):
    """Write a SoundFont 2 file of one preset.

    `samples`: (int16, loop start, loop end, root key); `zones`: dicts with sample, keys, velocities and gens.
    `shared` are the generators of a global zone.
    """
    pool, headers = b"", b""
    for number, (data, loop_start, loop_end, root) in enumerate(samples):
        start = len(pool) // 2
        pool += data.tobytes() + b"\0" * 92
        headers += struct.pack(
            "<20s5IBbHH", f"s{number}".encode(), start, start + len(data), start + loop_start, start + loop_end,
            SAMPLE_RATE, root, 0, 0, 1,
        )  # fmt: skip
    headers += struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    gens, bags = b"", b""
    if shared:
        bags += struct.pack("<HH", len(gens) // 4, 0)
        gens += b"".join(struct.pack("<Hh", number, amount) for number, amount in shared.items())
    for zone in zones:
        bags += struct.pack("<HH", len(gens) // 4, 0)
        low, high = zone.get("keys", (0, 127))
        gens += struct.pack("<HBB", 43, low, high)
        low, high = zone.get("velocities", (0, 127))
        gens += struct.pack("<HBB", 44, low, high)
        gens += b"".join(struct.pack("<Hh", number, amount) for number, amount in zone.get("gens", {}).items())
        gens += struct.pack("<HH", 53, zone.get("sample", 0))
    bag_count = len(zones) + bool(shared)
    bags += struct.pack("<HH", len(gens) // 4, 0)
    gens += struct.pack("<Hh", 0, 0)
    nothing = struct.pack("<HHhHH", 0, 0, 0, 0, 0)
    tables = (
        _chunk(b"phdr", struct.pack("<20sHHHIII", b"P", program, bank, 0, 0, 0, 0)
               + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0))
        + _chunk(b"pbag", struct.pack("<HHHH", 0, 0, 1, 0))
        + _chunk(b"pmod", nothing)
        + _chunk(b"pgen", struct.pack("<HHHh", 41, 0, 0, 0))
        + _chunk(b"inst", struct.pack("<20sH", b"I", 0) + struct.pack("<20sH", b"EOI", bag_count))
        + _chunk(b"ibag", bags) + _chunk(b"imod", nothing) + _chunk(b"igen", gens) + _chunk(b"shdr", headers)
    )  # fmt: skip
    body = b"sfbk" + _chunk(b"LIST", b"INFO" + _chunk(b"ifil", struct.pack("<HH", 2, 1)))
    body += _chunk(b"LIST", b"sdta" + _chunk(b"smpl", pool)) + _chunk(b"LIST", b"pdta" + tables)
    path.write_bytes(_chunk(b"RIFF", body))
    return path


def _chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def package(path: Path, files: dict[str, bytes]):
    """Write a Debian package with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    whole = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0\n"), ("control.tar.xz", b"x"), ("data.tar.xz", packed.getvalue())):
        whole += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}".encode()
            + b"`\n"
            + data
            + b"\n" * (len(data) % 2)
        )
    path.write_bytes(whole)
    return path


def level_db(audio):
    """RMS level of a tensor in dB."""
    return 10 * float(torch.log10(audio.double().pow(2).mean().clamp(min=1e-20)))


def pitch_cents(audio, hertz, reach_cents=40.0):
    """How far the energy around a frequency lies from it, in cents."""
    mono = audio.double().mean(0)
    size = 1 << (len(mono) * 4 - 1).bit_length()
    power = torch.fft.rfft(mono * torch.hann_window(len(mono), dtype=torch.float64), n=size).abs() ** 2
    bins = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE, dtype=torch.float64)
    ratio = 2 ** (reach_cents / 1200)
    near = (bins > hertz / ratio) & (bins < hertz * ratio)
    cents = 1200 * torch.log2(bins[near] / hertz)
    return float((cents * power[near]).sum() / power[near].sum())


def centroid_hz(audio):
    power = torch.fft.rfft(audio.double().mean(0)).abs() ** 2
    return float((power * torch.fft.rfftfreq(audio.shape[-1], 1 / SAMPLE_RATE)).sum() / power.sum())
