"""Form, style files, arrangement and performance: what a listener would notice about the written music."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import accumulate, pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.arrange.arrange import arrange
from generator.arrange.meters import STEPS
from generator.arrange.style import STYLES_DIR, load_style, read_style
from generator.arrange.voicing import voice
from generator.brief import METERS, Key, Mood, writable_styles
from generator.compose import colour, painted, take_seeds
from generator.corpus.piece import Bar, GridChord, GridNote
from generator.errors import ArrangeError, StyleError
from generator.measure.attributes import measure_attributes
from generator.perform import perform, swing_ticks
from generator.plan import HIT_TICKS, MATERIAL_BARS, make_plan
from generator.render.instruments import INSTRUMENTS
from generator.render.timing import SAMPLE_RATE, TAIL_S, total_samples
from generator.score import CHORD_TONES, PPQ, Chord, Score, Section
from tests.generator.leads import simple_lead
from tests.generator.scores import brief


@settings(deadline=None)
@given(
    style=st.sampled_from(writable_styles()),
    tempo=st.floats(40, 220),
    meter=st.sampled_from(METERS),
    length=st.floats(15, 600),
    loop=st.booleans(),
)
def test_the_form_fills_the_length_within_a_bar(style, tempo, meter, length, loop):
    wanted, played = brief(style, tempo_bpm=tempo, meter=meter, length_s=length, loop=loop), load_style(style)
    plan = make_plan(wanted, played)
    bar_s = plan.meter.bar_ticks / PPQ * 60 / tempo
    empty = Score("", Key(0, "major"), plan.meter, plan.bars, plan.tempos, (), plan.sections, ())
    assert sum(section.bars for section in plan.sections) == plan.bars
    short_s = 0.0
    if played.ending.kind == "hit" and not loop:  # the rest of the last bar is silent, and not among the audio
        short_s = bar_s - HIT_TICKS / PPQ * 60 / tempo
    assert abs(empty.length_s - short_s + (0 if loop else TAIL_S) - length) <= bar_s
    starts = [section.start_bar for section in plan.sections]
    assert starts == sorted(set(starts))


def test_a_minute_has_an_intro_returning_material_and_an_ending():
    for style in writable_styles():
        usual = load_style(style).tempo_bpm.default
        plan = make_plan(brief(style, tempo_bpm=usual, length_s=150.0), load_style(style))
        names = [section.name for section in plan.sections]
        assert names[0] == "intro"
        assert names[-1] == "outro"
        assert "A" in names
        assert any("'" in name for name in names), "something comes back, varied"


def _piece(style: str, seed: int = 5, **changes: object):
    asked = brief(style, seed=seed, **changes)
    data = load_style(style)
    plan = make_plan(asked, data)
    (take,) = take_seeds(seed, 1)
    lead = simple_lead(asked, plan, data, seed)
    return asked, plan, data, perform(arrange(lead, plan, asked, data, "Test", take), plan, asked, data, take)


@pytest.mark.parametrize("meter", METERS)
@pytest.mark.parametrize("style", writable_styles())
def test_every_style_in_every_metre_is_playable(style, meter):
    asked, plan, _, score = _piece(style, meter=meter, tempo_bpm=100.0, length_s=40.0)
    roles = {part.role for part in score.parts}
    assert {"melody", "bass"} <= roles
    assert roles & {"chords", "pad"}
    for part in score.parts:
        assert part.notes, f"{part.name} is silent"
        instrument = INSTRUMENTS[part.instrument]
        for note in part.notes:
            assert 0 <= note.onset < note.end <= score.end_tick or part.role in {"drums", "texture"}
            assert note.duration > 0
            assert 1 <= note.velocity <= 127
            if part.role not in {"drums", "texture"}:
                assert instrument.low <= note.pitch <= instrument.high
        assert _most_at_once(part) <= instrument.polyphony, f"{part.name} has too many notes at once"
    last = score.chords[-1]
    assert last.root == Key.parse(asked.key).tonic, "the piece ends on the tonic"
    assert last.end == score.end_tick
    assert score.bars == plan.bars


def _most_at_once(part) -> int:
    edges = sorted([(n.onset, 1) for n in part.notes] + [(n.end, -1) for n in part.notes])
    return max(accumulate(step for _, step in edges))


@pytest.mark.parametrize("style", writable_styles())
def test_somebody_plays_in_every_section_and_the_last_chord_is_held(style):
    for seed, (arousal, length_s) in enumerate(product((-0.9, 0.0, 0.9), (20.0, 60.0, 150.0))):
        tempo = load_style(style).tempo_bpm.default
        asked, plan, data, score = _piece(
            style, seed, mood=Mood(0.0, arousal), density=0.2 + seed / 12, length_s=length_s, tempo_bpm=tempo
        )
        bar = plan.meter.bar_ticks
        notes = [note for part in score.parts if part.role not in {"drums", "texture"} for note in part.notes]
        for section in plan.sections:
            start, end = section.start_bar * bar, (section.start_bar + section.bars) * bar
            assert any(start <= note.onset < end for note in notes), f"nobody plays in the {section.name}"
        last_end, ending = max(note.end for note in notes), data.ending.kind
        assert last_end >= score.end_tick - (bar - HIT_TICKS if ending == "hit" else PPQ if ending == "fade" else 0)
        assert abs(total_samples(score) / SAMPLE_RATE - asked.length_s) <= bar / PPQ * 60 / tempo


def test_a_tune_that_is_left_alone_plays_the_chords_where_it_has_nothing_to_sing():
    data = load_style("pop")
    others = {name for part in data.parts.values() if part.role != "melody" for name in part.instruments}
    _, plan, _, score = _piece("pop", length_s=60.0, instruments_unwanted=(*others - {"soft_lead"},))
    assert {part.role for part in score.parts} <= {"melody", "texture"}
    bar = plan.meter.bar_ticks
    onsets = [note.onset for note in score.part("melody").notes]
    for section in plan.sections:
        assert any(section.start_bar * bar <= at < (section.start_bar + section.bars) * bar for at in onsets)


@pytest.mark.parametrize("style", writable_styles())
def test_no_tune_is_sung_without_harmony_while_there_is_somebody_to_play_it(style):
    data = load_style(style)
    keys = tuple(name for part in data.parts.values() if part.role == "chords" for name in part.instruments)
    for seed, unwanted in product(range(4), ((), keys)):
        if unwanted and not any(part.role == "pad" for part in data.parts.values()):
            continue
        _, plan, _, score = _piece(style, seed, instruments_unwanted=unwanted, density=0.8, length_s=90.0)
        harmony = [note for part in score.parts if part.role in {"chords", "pad"} for note in part.notes]
        for section in plan.sections:
            start, end = (bar * plan.meter.bar_ticks for bar in (section.start_bar, section.start_bar + section.bars))
            sounding = any(note.onset < end and note.end > start for note in harmony)
            assert sounding or section.name.islower() or not harmony


def test_drums_keep_out_of_ambient_and_walk_in_jazz():
    assert "drums" not in {part.role for part in _piece("ambient")[3].parts}
    bass = _piece("jazz", length_s=40.0)[3].part("bass")
    quarters = Counter(note.onset % PPQ for note in bass.notes)
    assert quarters[0] > 0.9 * len(bass.notes)


def test_the_tune_is_the_composers_and_sections_return():
    _, plan, _, score = _piece("pop", length_s=90.0, tempo_bpm=110.0)
    bar = plan.meter.bar_ticks
    first = next(s for s in plan.sections if s.name == "A")
    back = next(s for s in plan.sections if s.name == "A'")

    def opening(start: int) -> set[tuple[int, int]]:
        melody = score.part("melody").notes
        return {(n.onset - start * bar, n.pitch) for n in melody if start * bar <= n.onset < (start + 2) * bar}

    one, two = opening(first.start_bar), opening(back.start_bar)
    assert len(one & two) >= 0.6 * len(one), "a section that returns begins as it did"


def test_takes_differ_and_seeds_repeat():
    assert _piece("lofi", seed=9)[3] == _piece("lofi", seed=9)[3]
    assert _piece("lofi", seed=9)[3] != _piece("lofi", seed=10)[3]
    assert take_seeds(3, 1) == take_seeds(3, 4)[:1]


def test_the_brief_is_heard_in_the_attributes():
    def measured(**changes: object):
        asked, _, _, score = _piece("pop", length_s=40.0, **changes)
        return measure_attributes(score, asked)

    assert measured(mood=Mood(0, 0.8), tempo_bpm=130.0).arousal > measured(mood=Mood(0, -0.8), tempo_bpm=86.0).arousal
    assert measured(key="C major").valence > measured(key="C minor").valence
    assert measured(brightness=0.95).brightness > measured(brightness=0.05).brightness
    assert measured(acousticness=0.95).acousticness > measured(acousticness=0.05).acousticness


def test_wanted_and_unwanted_instruments():
    score = _piece("lofi", instruments_wanted=("flute",), instruments_unwanted=("lofi_kit", "jazz_kit"))[3]
    assert score.part("melody").instrument == "flute"
    assert "drums" not in {part.role for part in score.parts}


@pytest.mark.parametrize("style", writable_styles())
def test_an_instrument_that_is_asked_for_is_heard_in_every_style(style):
    for wanted in ("banjo", "tenor_sax", "upright_bass"):
        score = _piece(style, instruments_wanted=(wanted,), length_s=40.0)[3]
        assert wanted in {part.instrument for part in score.parts}


def test_one_piano_is_one_player_and_accompanies_first():
    score = _piece("pop", instruments_wanted=("grand_piano",))[3]
    assert score.part("piano").instrument == "grand_piano"
    assert [part.instrument for part in score.parts].count("grand_piano") == 1


@pytest.mark.parametrize("style", writable_styles())
def test_the_tune_is_on_top_and_the_piece_comes_home(style):
    score = _piece(style, length_s=60.0)[3]
    tune = sorted(note.pitch for note in score.part("melody").notes)
    under = [note.pitch for part in score.parts if part.role in {"chords", "pad"} for note in part.notes]
    assert sum(pitch < tune[len(tune) // 2] for pitch in under) >= 0.8 * len(under)
    assert [(chord.root - score.key.tonic) % 12 for chord in score.chords[-2:]] == [7, 0], "dominant, tonic"


def test_a_loop_has_no_ending_and_leads_back_to_its_beginning():
    asked, plan, _, score = _piece("jazz", length_s=60.0, loop=True)
    assert plan.last_bar is None
    assert not {section.name for section in plan.sections} & {"intro", "outro"}
    last_bar = (plan.bars - 1) * plan.meter.bar_ticks
    walking = [note for note in score.part("bass").notes if note.onset >= last_bar]
    assert len(walking) == 4, "the bass walks on"
    first = score.part("bass").notes[0]
    assert abs(walking[-1].pitch - first.pitch) % 12 in {1, 11}, "into its first note"
    assert asked.loop


@pytest.mark.parametrize("style", writable_styles())
def test_every_style_can_go_round(style):
    _, plan, _, score = _piece(style, length_s=30.0, loop=True, meter="5/4")
    assert len(plan.tempos) == 1, "nothing slows down"
    assert score.parts
    last_beat = score.end_tick - PPQ
    assert any(note.end > last_beat for part in score.parts for note in part.notes), "it plays up to the seam"


def test_a_slowing_piece_is_still_on_time():
    plan = make_plan(brief("classical", tempo_bpm=92.0, length_s=60.0), load_style("classical"))
    assert plan.tempos[-1].bpm < 0.8 * plan.tempos[0].bpm


def test_twelve_bars_have_the_chords_of_the_blues():
    score = _piece("blues", length_s=120.0, tempo_bpm=96.0, complexity=0.0)[3]
    chorus = next(section for section in score.sections if section.name == "A")
    assert chorus.bars % 12 == 0
    bar = score.meter.bar_ticks

    def degree(index: int) -> int:
        start = (chorus.start_bar + index) * bar
        return next((c.root - score.key.tonic) % 12 for c in score.chords if c.onset <= start < c.end)

    assert degree(0) == 0
    assert degree(4) == 5, "the second line begins on the fourth degree"
    assert degree(8) in {2, 7}


def test_odd_plans_and_leads_work_or_say_why():
    asked = brief("pop", tempo_bpm=120.0, length_s=60.0)
    data = load_style("pop")
    plan = make_plan(asked, data)
    lead = simple_lead(asked, plan, data, 1, tune=False)
    assert "melody" not in {part.role for part in arrange(lead, plan, asked, data, "", 1).parts}
    for bars in (1, 2000):
        odd = replace(plan, bars=bars, sections=(Section("A", 0, bars, 0.8, "A"),), tempos=plan.tempos[:1])
        score = perform(arrange(lead, odd, asked, data, "", 1), odd, asked, data, 1)
        assert score.bars == bars
        assert all(note.onset < score.end_tick for part in score.parts for note in part.notes)
    with pytest.raises(ArrangeError, match="needs A"):
        arrange(replace(lead, materials={}), plan, asked, data, "", 1)
    strange = tuple(replace(bar, chords=(GridChord(0, 0, "7#11"),)) for bar in lead.materials["A"])
    with pytest.raises(ArrangeError, match="7#11"):
        arrange(replace(lead, materials=lead.materials | {"A": strange}), plan, asked, data, "", 1)
    nobody = tuple(name for part in data.parts.values() for name in part.instruments)
    with pytest.raises(ArrangeError, match="nobody"):
        arrange(lead, plan, replace(asked, instruments_unwanted=nobody), data, "", 1)


def test_swing_moves_only_the_off_beats():
    assert swing_ticks(0, 1.0, 8) == 0
    assert swing_ticks(PPQ // 2, 1.0, 8) == PPQ // 6
    assert swing_ticks(PPQ // 4, 1.0, 8) == 0
    assert swing_ticks(PPQ // 4, 1.0, 16) == PPQ // 12
    assert swing_ticks(PPQ // 2, 0.0, 8) == 0


def test_voices_move_little_and_stay_in_register():
    progression = [Chord(0, 1, 0, "maj7"), Chord(1, 1, 9, "m7"), Chord(2, 1, 2, "m7"), Chord(3, 1, 7, "7")]
    voiced = voice(progression, 50, 74, 4)
    for chord, pitches in zip(progression, voiced, strict=True):
        assert {p % 12 for p in pitches} <= set(chord.pitch_classes)
        assert 50 <= pitches[0] <= pitches[-1] <= 74
    moves = [sum(abs(a - b) for a, b in zip(x, y, strict=True)) for x, y in pairwise(voiced)]
    assert max(moves) <= 8


@given(root=st.integers(0, 11), quality=st.sampled_from(list(CHORD_TONES)), complexity=st.floats(0, 1))
def test_a_chord_keeps_its_function_in_every_colour(root, quality, complexity):
    thirds = {name: (3 in tones) - (4 in tones) for name, tones in CHORD_TONES.items()}
    for style in writable_styles():
        painted = colour(GridChord(0, root, quality), 0, load_style(style), complexity)
        assert painted.root == root
        if quality in {"", "m", "maj7", "m7"} and root != 7:
            assert thirds[painted.quality] == thirds[quality], "major stays major, minor stays minor"


def test_a_chord_takes_the_colour_that_bears_the_tune():
    for melody, quality in (
        ((), "7"),
        ((GridNote(0, 24, 65),), "7sus4"),  # F over C7: it is suspended
        ((GridNote(0, 4, 65),), "7"),  # it passes by
        ((GridNote(0, 24, 69),), "7"),
    ):
        bar = Bar(chords=(GridChord(0, 0, "7"),), melody=melody)
        assert painted(bar, 0, load_style("jazz"), 1.0).chords[0].quality == quality


def test_materials_have_eight_bars():
    assert MATERIAL_BARS == 8
    assert set(STEPS) == set(METERS)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "lofi"', 'name = "lowfi"', "name"),
        ("swing = 0.55", "swing = 7", "playing.swing"),
        ('figure = "lead"', 'figure = "solo"', "parts.melody.figure"),
        ('"vibraphone"', '"vibrafone"', "vibrafone"),
        ("X-----x---x-----", "X-----x---x", "kick"),
        ("0:10:R 11:3:5", "0:10:R 11:3:9", "“9”"),
        ("0:7 10:5", "0:7 17:5", "17:5"),
        ("tritone = 0.25", "tritones = 0.25", "tritone"),
        ("iim7", "iix7", "iix7"),
        ("A:8:0.6", "A:eight", "A:eight"),
        ("level_lufs = -21", "level_lufs = 3", "level_lufs"),
        ("[harmony]", "[harmony", "TOML"),
        ("minor = 0.6", "minor = 0.6\nmajor = 0.4", "major"),
    ],
)
def test_a_broken_style_file_names_file_and_key(tmp_path, old, new, named):
    text = (STYLES_DIR / "lofi.toml").read_text()
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(StyleError) as caught:
        read_style(path)
    assert "broken.toml" in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_style_without_a_file_is_refused_with_the_choices():
    with pytest.raises(StyleError, match="choose from lofi"):
        load_style("polka")
