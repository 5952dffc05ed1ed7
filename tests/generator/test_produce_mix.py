"""The mix as it is heard and measured."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from generator.measure.loudness import integrated_lufs
from generator.measure.report import channel_correlation
from generator.produce.masking import MOST_DB
from generator.produce.mix import CRACKLE, ROOM, mix
from generator.produce.settings import Channel, Master
from generator.render.timing import SAMPLE_RATE
from tests.generator.making_audio import level_db

SECONDS = 5
DRY = Master(fade_out_s=0.0)


def times():
    return torch.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE


def chord(side=0.2):
    left = sum(torch.sin(2 * math.pi * hertz * times()) for hertz in (220.0, 277.2, 329.6, 1760.0))
    right = sum(torch.sin(2 * math.pi * hertz * times() + side) for hertz in (220.0, 277.2, 329.6, 1760.0))
    return 0.1 * torch.stack([left, right])


def kicks():
    since = times() % 0.5
    return (torch.sin(2 * math.pi * 55 * since) * torch.exp(-since * 18)).expand(2, -1).clone()


STEMS = {"keys": "chords", "lead": "melody", "kit": "drums"}


def stems():
    return {"keys": chord(), "lead": 0.01 * chord(1.0).flip(-1), "kit": kicks()}


@pytest.mark.parametrize(
    "master", [Master(), Master(wow=0.8, crackle=0.7, lowpass_hz=7000, reverb_s=3.0, fade_out_s=2)]
)
def test_processed_stems_sum_to_the_bus(master):
    channel = Channel(reverb=0.5, delay=0.5, chorus=0.4, saturation=0.4, sidechain=0.6, pan=0.4, width=1.6)
    mixed = mix(stems(), STEMS, {"chords": channel, "melody": channel}, master, seed=3, tempo_bpm=120)
    off = mixed.bus - torch.stack(list(mixed.stems.values())).sum(0)
    assert level_db(off) < level_db(mixed.bus) - 60


def test_every_stem_comes_to_its_level_however_loud_it_was_played():
    channels = {"chords": Channel(level_lufs=-24, reverb=0), "melody": Channel(level_lufs=-18, reverb=0)}
    mixed = mix(stems(), STEMS, channels, DRY, seed=1)
    assert integrated_lufs(mixed.stems["keys"], SAMPLE_RATE) == pytest.approx(-24, abs=0.3)
    assert integrated_lufs(mixed.stems["lead"], SAMPLE_RATE) == pytest.approx(-18, abs=0.3)


def test_a_voice_that_follows_the_tune_stands_behind_it():
    roles = {"lead": "melody", "thirds": "melody", "keys": "chords"}
    played = {"thirds": chord(), "keys": chord(0.5), "lead": 0.01 * chord(1.0).flip(-1)}
    mixed = mix(played, roles, {"melody": Channel(level_lufs=-18, reverb=0)}, DRY, seed=1)
    assert mixed.levels["lead"] == pytest.approx(-18, abs=0.3)
    assert mixed.levels["thirds"] == pytest.approx(-22, abs=0.3)


def test_a_mix_knows_how_loud_its_stems_are():
    """Whatever happens to them after their strips; what gives way to the kick has to be measured."""
    channels = {
        "chords": Channel(level_lufs=-8, reverb=0.3), "melody": Channel(level_lufs=-14, reverb=0.3),
        "drums": Channel(level_lufs=-9, reverb=0),
    }  # fmt: skip
    mixed = mix(stems(), STEMS, channels, Master(fade_out_s=0.5), seed=1)
    assert set(mixed.levels) == set(STEMS)
    for name, level in mixed.levels.items():
        assert integrated_lufs(mixed.stems[name], SAMPLE_RATE) == pytest.approx(level, abs=0.3)
    assert mixed.levels["keys"] < -8.5, "the stems were turned down together"
    pumping = channels | {"chords": Channel(sidechain=0.7)}
    assert "keys" not in mix(stems(), STEMS, pumping, Master(), seed=1).levels


def test_pan_and_low_end():
    mixed = mix(stems(), STEMS, {"chords": Channel(pan=0.8, reverb=0)}, DRY, seed=1)
    keys = mixed.stems["keys"]
    assert level_db(keys[1]) > level_db(keys[0]) + 6
    low = {"kit": torch.stack([kicks()[0], -kicks()[0]]), "keys": chord()}
    folded = mix(low, STEMS, {"drums": Channel(reverb=0, level_lufs=-20, pan=0.9)}, DRY, seed=1).stems["keys"]
    assert channel_correlation(folded) > 0.4


def test_the_kick_ducks_what_is_side_chained():
    def level_after_kick(amount):
        keys = mix(stems(), STEMS, {"chords": Channel(sidechain=amount, reverb=0)}, DRY, seed=1).stems["keys"]
        at = int(2.0 * SAMPLE_RATE)
        return level_db(keys[:, at + 600 : at + 2500]) - level_db(keys[:, at + 16000 : at + 21000])

    assert level_after_kick(0.0) == pytest.approx(0, abs=1)
    assert level_after_kick(1.0) < -8


def test_width_reverb_and_echo_are_heard():
    def heard(sound, **channel):
        strip = {"chords": Channel(**{"reverb": 0.0} | channel)}
        return mix({"keys": sound}, STEMS, strip, DRY, seed=1, tempo_bpm=120)

    assert channel_correlation(heard(chord(0.0)).bus) == pytest.approx(1.0, abs=1e-4)
    assert 0.3 < channel_correlation(heard(chord(0.0), width=1.8).bus) < 0.99
    roomy = heard(chord(0.0), reverb=0.8)
    assert channel_correlation(roomy.stems["keys"]) == pytest.approx(1.0, abs=1e-4)
    assert channel_correlation(roomy.bus) < 0.99
    burst = torch.cat([chord()[:, :8000], torch.zeros(2, SECONDS * SAMPLE_RATE - 8000)], 1)
    at = int(0.375 * SAMPLE_RATE)  # a dotted eighth at 120
    plain, echoed = heard(burst).bus, heard(burst, delay=0.8).bus
    assert level_db(echoed[:, at : at + 4000]) > level_db(plain[:, :8000]) - 30
    assert level_db(plain[:, at : at + 4000]) < -100


def test_a_mix_ends_when_nothing_is_heard_any_more():
    def mixed(silence):
        stroke = torch.cat([chord()[:, :20000], 1e-4 * chord()[:, :5000], torch.zeros(2, silence)], 1)
        return mix({"keys": stroke}, STEMS, {"chords": Channel(reverb=0.0)}, DRY, seed=1)

    short, long = mixed(8000), mixed(60000)
    assert 20000 < short.bus.shape[-1] < 27000
    assert {stem.shape[-1] for stem in short.stems.values()} == {short.bus.shape[-1]}
    assert long.bus.shape[-1] == 85000 - round(0.4 * SAMPLE_RATE), "the asked length is kept to"


def test_what_the_room_adds_is_one_stem_and_follows_what_is_sent():
    def room(keys, lead):
        channels = {"chords": Channel(reverb=keys), "melody": Channel(reverb=lead), "drums": Channel(reverb=0)}
        return mix(stems(), STEMS, channels, DRY, seed=1).stems.get(ROOM)

    assert room(0.0, 0.0) is None
    assert level_db(room(0.8, 0.0)) - level_db(room(0.2, 0.0)) == pytest.approx(12.0, abs=0.1)
    torch.testing.assert_close(room(0.4, 0.0) + room(0.0, 0.3), room(0.4, 0.3), atol=1e-6, rtol=0)


def test_the_equaliser_raises_and_lowers_its_bands():
    def change(hertz, **channel):
        def level(strip):
            tone = 0.1 * torch.sin(2 * math.pi * hertz * times()).expand(2, -1)
            anchor = 0.1 * torch.sin(2 * math.pi * 1000 * times()).expand(2, -1)
            made = mix({"keys": tone + anchor}, STEMS, {"chords": strip}, DRY, seed=1).stems["keys"][0]
            power = torch.fft.rfft(made * torch.hann_window(len(made))).abs()
            return 20 * math.log10(float(power[hertz * SECONDS]) / float(power[1000 * SECONDS]))

        return level(Channel(reverb=0, **channel)) - level(Channel(reverb=0))

    assert change(60, low_db=6.0) == pytest.approx(6.0, abs=0.7)
    assert change(10000, high_db=-6.0) == pytest.approx(-6.0, abs=0.7)
    assert change(3000, mid_hz=3000, mid_db=4.0) == pytest.approx(4.0, abs=0.7)


def test_a_compressor_brings_loud_and_soft_together():
    swell = chord() * torch.where(times() % 1.0 < 0.5, 1.0, 0.25)

    def span(amount):
        strip = {"chords": Channel(reverb=0, compression=amount)}
        keys = mix({"keys": swell}, STEMS, strip, DRY, seed=1).stems["keys"]
        at = 2 * SAMPLE_RATE
        return level_db(keys[:, at + 8000 : at + 20000]) - level_db(keys[:, at + 34000 : at + 42000])

    assert span(0.0) == pytest.approx(12.0, abs=0.2)
    assert 3.0 < span(1.0) < 9.0


def test_an_accompaniment_gives_way_where_it_covers_the_tune():
    def noise(low, high, seed):
        white = torch.randn(SECONDS * SAMPLE_RATE, generator=torch.Generator().manual_seed(seed))
        hertz = torch.fft.rfftfreq(len(white), 1 / SAMPLE_RATE)
        band = torch.fft.irfft(torch.fft.rfft(white) * ((hertz > low) & (hertz < high)), n=len(white))
        return band.expand(2, -1).clone()

    def covering(roles):
        parts = {"lead": noise(900, 1800, 1), "keys": noise(300, 8000, 2)}
        channels = {roles["lead"]: Channel(level_lufs=-30, reverb=0)}
        keys = mix(parts, roles, channels, DRY, seed=1).stems["keys"][0]
        power = torch.fft.rfft(keys).abs().square()
        return 10 * math.log10(
            float(power[1000 * SECONDS : 1700 * SECONDS].mean() / power[4500 * SECONDS : 7500 * SECONDS].mean())
        )

    given_way = covering({"lead": "melody", "keys": "chords"}) - covering({"lead": "counter", "keys": "chords"})
    assert -MOST_DB - 0.1 < given_way < -2.0


def test_out_of_phase_stereo_is_narrowed_to_survive_mono():
    wide = {"keys": torch.stack([chord()[0], -chord()[0]]) + 0.3 * chord()}
    mixed = mix(wide, STEMS, {"chords": Channel(reverb=0)}, DRY, seed=1)
    assert channel_correlation(mixed.stems["keys"]) > 0.3


def test_silent_stems_are_named_and_crackle_is_a_stem():
    mixed = mix(stems() | {"lost": torch.zeros(2, SECONDS * SAMPLE_RATE)}, STEMS, {}, Master(crackle=0.5), seed=1)
    assert mixed.silent == ("lost",)
    assert float(mixed.stems["lost"].abs().max()) == 0
    assert -60 < integrated_lufs(mixed.stems[CRACKLE], SAMPLE_RATE) < -35


def test_nothing_clips_and_the_end_is_silent():
    loud = {"drums": Channel(level_lufs=-6)}
    mixed = mix(stems(), STEMS, loud, Master(), seed=1)
    assert max(float(stem.abs().max()) for stem in (mixed.bus, *mixed.stems.values())) < 1.0
    assert float(mixed.bus[:, -3:].abs().max()) < 1e-4


def test_the_same_seed_gives_the_same_mix():
    master = Master(wow=0.5, crackle=0.5)
    first, again, other = (mix(stems(), STEMS, {}, master, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(first.bus, again.bus)
    assert not torch.equal(first.bus, other.bus)


@pytest.mark.parametrize("wrong", [{"reverb": 1.2}, {"level_lufs": float("nan")}, {"reverbb": 0.1}])
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Channel(**wrong)
