"""From a plan to music on paper: ask the model for chords and melody of every material, K takes in one batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from generator.arrange.roman import draw_progression
from generator.arrange.style import Style
from generator.brief import Brief, Key
from generator.corpus.piece import GRID, Bar, GridChord
from generator.manners import draw_manner
from generator.model import tokens
from generator.model.desk import Writing
from generator.model.rules import Rules
from generator.model.sample import Boldness
from generator.model.tasks import Contest, Liking, Request, vary, writing
from generator.model.tokens import Controls, Frame, class_of
from generator.motifs import Motifs, plan_motifs
from generator.plan import MATERIAL_BARS, Plan
from generator.score import CHORD_FUNCTIONS, HELD, PPQ, avoid_tones, function_of
from generator.seeds import stream

VARIATION = 0.35
"""Share of the bars that are new in a first return (A'); every prime more adds half as much again."""

FIRMNESS = 0.9
"""How firmly a take keeps to its manner without novelty; novelty adds up to half as much again."""

GUIDANCE = 1.0
"""How hard the controls pull; above 1 costs a second pass of the model."""


@dataclass(frozen=True, slots=True)
class Lead:
    """One take: for each material, and each of its variations by name (A, B, A'), its bars in absolute pitch."""

    key: Key
    materials: dict[str, tuple[Bar, ...]]


def take_seeds(seed: int, takes: int) -> list[int]:
    """One seed for each take; take 0 is the same however many are asked for."""
    return [int(stream(seed, f"take {index}").integers(0, 2**62)) for index in range(takes)]


Judge = Callable[[Sequence[Lead], Sequence[int]], Sequence[float]]
"""How much leads (of takes with these seeds) are liked, higher is better; what is not yet written repeats what is."""
RIVALS = 2
"""Ways in which every take is written where somebody judges; the better one goes on after every material."""


def compose(
    brief: Brief,
    plan: Plan,
    style: Style,
    seeds: Sequence[int],
    on_progress: Callable[[float], None] = lambda _share: None,
    judge: Judge | None = None,
) -> Writing[list[Lead]]:
    """Write one Lead for each seed. `on_progress` is told the share done, 0 … 1."""
    boldness = boldness_of(brief.novelty)
    returns = _returns(plan)
    share = 0.25 if _chords_alone(style) else 0.0
    chords = (yield from _compose_chords(brief, plan, style, seeds)) if share else [{} for _ in seeds]
    on_progress(share)
    asked = _requests(brief, plan, style, chords, seeds)
    bars = MATERIAL_BARS * len(plan.materials)
    end = 0.8 if returns else 1.0

    def on_bar(bar: int) -> None:
        on_progress(share + (end - share) * bar / bars)

    if judge is None:
        written = yield from writing(asked, seeds, boldness, on_bar=on_bar)
    else:
        score = _scored(judge, asked, seeds, plan, brief, style)
        written = yield from _contested(asked, seeds, boldness, on_bar, score)
    leads = [
        _lead(music, request.frame, plan, brief, style) for music, request in zip(written, asked, strict=True)
    ]  # fmt: skip
    if returns:
        leads = yield from _vary(leads, returns, asked, seeds, boldness)
        on_progress(1.0)
    return leads


def _contested(
    asked: Sequence[Request], seeds: Sequence[int], boldness: Boldness, on_bar: Callable[[int], None], score: Liking
) -> Writing[list[tuple[Bar, ...]]]:  # fmt: skip
    """Every take in rival ways, of which the better one is left. The first way is the take's own."""
    rivals = [request for request in asked for _ in range(RIVALS)]
    own = [
        int(stream(seed, f"rival {way}").integers(0, 2**62)) if way else seed for seed in seeds for way in range(RIVALS)
    ]
    contest = Contest(score, MATERIAL_BARS, RIVALS)
    written = yield from writing(rivals, own, boldness, search=contest, on_bar=on_bar)
    scores = score(written)
    return [
        written[max(range(first, first + RIVALS), key=lambda place: (scores[place], -place))]
        for first in range(0, len(written), RIVALS)
    ]


def _scored(
    judge: Judge, asked: Sequence[Request], seeds: Sequence[int], plan: Plan, brief: Brief, style: Style
) -> Liking:
    """The judge's score of bars: what is missing of a piece repeats what there is, returns are not varied."""
    bars = MATERIAL_BARS * len(plan.materials)
    returns = _returns(plan)

    def score(takes: Sequence[tuple[Bar, ...]]) -> Sequence[float]:
        leads = []
        for place, music in enumerate(takes):
            whole = tuple(music[bar % len(music)] for bar in range(bars))
            lead = _lead(whole, asked[place // RIVALS].frame, plan, brief, style)
            leads.append(Lead(lead.key, lead.materials | {name: lead.materials[name[0]] for name in returns}))
        return judge(leads, [seeds[place // RIVALS] for place in range(len(takes))])

    return score


def boldness_of(novelty: float) -> Boldness:
    """How boldly every composition is sampled; novelty 0 … 1 makes it bolder. Chords are drawn more calmly than the
    tune above them, so that they lead somewhere."""
    chords = Boldness(temperature=0.85 + 0.2 * novelty, min_p=0.04 / (1 + 2 * novelty))
    return Boldness(
        temperature=1.1 + 0.15 * novelty, min_p=0.006 / (1 + novelty), guidance=GUIDANCE, chords=chords
    )  # fmt: skip


def chart_boldness_of(novelty: float) -> Boldness:
    """How boldly chords are sampled that are written alone.

    Drawn as boldly as a tune, they surprise by 3.0 nats a chord where people's jazz charts surprise by 2.1 (a bigram of
    functions, fitted on other charts); so calmly, by 2.2.
    """
    return Boldness(temperature=0.75 + 0.2 * novelty, min_p=0.08 / (1 + 2 * novelty))


def firmness_of(novelty: float) -> float:
    """How firmly every take keeps to its manner."""
    return FIRMNESS * (1 + 0.5 * novelty)


def _requests(
    brief: Brief, plan: Plan, style: Style, given: Sequence[dict[int, tuple[GridChord, ...]]], seeds: Sequence[int]
) -> list[Request]:
    """All materials in one go, so that each knows what came before it. Every take repeats itself in its own way."""
    key = Key.parse(brief.key)
    bars = MATERIAL_BARS * len(plan.materials)
    frame = Frame(key.tonic, _reference(key, style, brief))
    rules = Rules(
        bars=bars, bar_steps=bar_steps(plan), closing=True, energies=_energies(plan),
        max_chords=style.harmony.chords_per_bar, home=_home(key), resolve=style.harmony.resolve,
        max_hold=style.harmony.max_hold * style.harmony.bars_per_chord,
        low=max(tokens.LOWEST, style.melody.low - frame.reference),
        high=min(tokens.HIGHEST, style.melody.high - frame.reference), max_leap=style.melody.max_leap,
    )  # fmt: skip
    plain, density, firmness = _controls(brief, style), _density(brief, style), firmness_of(brief.novelty)
    ends = _section_ends(plan)
    asked = []
    for chords, seed in zip(given, seeds, strict=True):
        motifs = plan_motifs(style.melody.kind, bars, stream(seed, "motifs"), within=MATERIAL_BARS, ends=ends)
        own = replace(
            rules, given_chords=chords, echo=motifs.echo, copies=motifs.copies, rhythms=breaths_of(motifs, rules)
        )  # fmt: skip
        manner = draw_manner(style.melody.kind, density, stream(seed, "manner"), firmness)
        asked.append(Request(plain, own, frame, manner=manner))
    return asked


def _section_ends(plan: Plan) -> set[int]:
    """The composed bars with which sections end that sing a part of their material."""
    return {
        plan.materials.index(section.material) * MATERIAL_BARS + section.bars - 1
        for section in plan.sections
        if section.name.rstrip("'") == section.material and section.bars < MATERIAL_BARS
    }


def breaths_of(motifs: Motifs, rules: Rules) -> dict[int, tuple[tuple[int, int], ...]]:
    """The rhythm of the bars in which the tune breathes; those that come back have it from where they come."""
    return {
        bar: ((0, tokens.nearest_duration(round(share * rules.bar_steps))),)
        for bar, share in motifs.breaths.items()
        if bar not in motifs.copies and bar not in motifs.echo
    }


def _density(brief: Brief, style: Style) -> float:
    """Melody onsets per quarter: the style's, up to an octave fewer or more as the Brief asks."""
    return float(style.melody.density * 2.0 ** (2.0 * (brief.density - 0.5)))


def _controls(brief: Brief, style: Style) -> Controls:
    """What the Brief asks, in the model's classes."""
    return Controls(
        Key.parse(brief.key).mode, brief.meter, ("chords", "melody"), style.melody.kind,
        valence=class_of(brief.mood.valence, tokens.MOOD_EDGES),
        arousal=class_of(brief.mood.arousal, tokens.MOOD_EDGES),
        density=class_of(_density(brief, style), tokens.DENSITY_EDGES),
        complexity=_complexity(brief, style),
    )  # fmt: skip


def _complexity(brief: Brief, style: Style) -> int:
    """The style's usual harmony, plainer or richer as the Brief asks."""
    wanted = style.harmony.complexity + 0.6 * (brief.complexity - 0.5)
    return class_of(min(1.0, max(0.0, wanted)), tokens.COMPLEXITY_EDGES)


def _chords_alone(style: Style) -> bool:
    """Whether the style's harmony comes from chord charts or is its own, or moves slower than a bar."""
    return style.harmony.kind == "chart" or style.harmony.bars_per_chord > 1 or bool(style.harmony.progressions)


def _compose_chords(
    brief: Brief, plan: Plan, style: Style, seeds: Sequence[int]
) -> Writing[list[dict[int, tuple[GridChord, ...]]]]:
    """Chords first; slow harmony is stretched. Roots are relative to the tonic."""
    key = Key.parse(brief.key)
    if key.mode in style.harmony.progressions:
        return [_own_chords(style, plan, key.mode, seed) for seed in seeds]
    hold = style.harmony.bars_per_chord
    bars = MATERIAL_BARS * len(plan.materials)
    rules = Rules(
        bars=max(2, bars // hold), bar_steps=bar_steps(plan), parts=("chords",),
        max_chords=style.harmony.chords_per_bar, max_hold=style.harmony.max_hold, home=_home(key),
        resolve=style.harmony.resolve,
    )  # fmt: skip
    controls = Controls(key.mode, brief.meter, ("chords",), style.harmony.kind, complexity=_complexity(brief, style))
    request = Request(controls, rules, Frame(0, 60))  # tonic 0: roots stay relative
    written = yield from writing(request, seeds, chart_boldness_of(brief.novelty))
    return [{bar: music[min(bar // hold, len(music) - 1)].chords for bar in range(bars)} for music in written]


def _own_chords(style: Style, plan: Plan, mode: str, seed: int) -> dict[int, tuple[GridChord, ...]]:
    """The style's own progression, as it stands under each composed bar when that is first played."""
    progression = draw_progression(style.harmony.progressions[mode], seed)  # type: ignore[index]
    first = [progression[style.harmony.phrases.index(bar)][0] for bar in range(MATERIAL_BARS)]
    return {
        index * MATERIAL_BARS + bar: (GridChord(0, root, quality),)
        for index in range(len(plan.materials))
        for bar, (root, quality) in enumerate(first)
    }


def _returns(plan: Plan) -> list[str]:
    """Names of the sections that come back varied (A', A''), in the order in which they are played."""
    return list(dict.fromkeys(section.name for section in plan.sections if "'" in section.name))


def _vary(
    leads: Sequence[Lead], names: Sequence[str], asked: Sequence[Request], seeds: Sequence[int], boldness: Boldness
) -> Writing[list[Lead]]:
    """Add the variations `names` of its materials to every take, all written in one batch: some bars new, in their old
    rhythm, on the old chords."""
    own = [int(stream(seed, f"variation {name}").integers(0, 2**62)) for seed in seeds for name in names]
    plain = [(lead, name, request) for lead, request in zip(leads, asked, strict=True) for name in names]
    varied = [_variation(*one, seed) for one, seed in zip(plain, own, strict=True)]
    written = iter((yield from writing(varied, own, boldness)))
    return [Lead(lead.key, lead.materials | {name: next(written) for name in names}) for lead in leads]


def _variation(lead: Lead, name: str, request: Request, seed: int) -> Request:
    """What is asked for the variation `name`; the seed chooses the bars."""
    strength = VARIATION * (1 + 0.5 * (name.count("'") - 1))
    bars = lead.materials[name[0]]
    rules = replace(
        request.rules, bars=len(bars), parts=("melody",), echo={}, copies={}, rhythms={}, given_chords={}, energies={},
        home=(),
    )  # fmt: skip
    return vary(replace(request, rules=rules, bars=bars), strength, seed)


def colour(chord: GridChord, tonic: int, style: Style, complexity: float, held: Collection[int] = ()) -> GridChord:
    """Paint a chord in the style's palette: its function stays, its extensions follow the Brief's complexity, and
    what the tune holds over it (MIDI pitches) stays bearable if it can."""
    palette: tuple[str, ...] = getattr(style.harmony, function_of((chord.root - tonic) % 12, chord.quality))
    within = max(1, min(len(palette), round(complexity * len(palette) + 0.5)))
    # Steps through the palette by root, so that the same chord always gets the same colour in a piece.
    first = (chord.root * 5 + tonic) % within
    choices = [*palette[first:within], *palette[:first], *palette[within:]]

    def unbearable(quality: str) -> int:
        return sum((pitch - chord.root) % 12 in avoid_tones(quality) for pitch in held)

    return GridChord(chord.pos, chord.root, min(choices, key=unbearable))


def painted(bar: Bar, tonic: int, style: Style, complexity: float) -> Bar:
    """The bar with its chords in the style's colours."""
    ends = [*(chord.pos for chord in bar.chords[1:]), math.inf]
    chords = []
    for chord, end in zip(bar.chords, ends, strict=False):
        held = {
            note.pitch for note in bar.melody
            if min(note.pos + note.dur, end) - max(note.pos, chord.pos) >= HELD * GRID // PPQ
        }  # fmt: skip
        chords.append(colour(chord, tonic, style, complexity, held))
    return replace(bar, chords=tuple(chords))


def bar_steps(plan: Plan) -> int:
    """Grid steps of a bar."""
    return plan.meter.bar_ticks * GRID // PPQ


def _home(key: Key) -> tuple[str, ...]:
    """A piece opens on its tonic, so that its key is heard from the start."""
    return CHORD_FUNCTIONS["minor" if key.mode == "minor" else "major"]


def _energies(plan: Plan) -> dict[int, int]:
    """The energy class of every bar: that of the fullest section its material has."""
    energies = {}
    for index, name in enumerate(plan.materials):
        highest = max(s.energy for s in plan.sections if s.material == name)
        for bar in range(MATERIAL_BARS):
            energies[index * MATERIAL_BARS + bar] = class_of(highest, tokens.ENERGY_EDGES)
    return energies


def _reference(key: Key, style: Style, brief: Brief) -> int:
    """The tonic that puts the melody in the middle of its register, higher when the Brief is bright."""
    middle = (style.melody.low + style.melody.high) / 2 - 7 + 8 * (brief.brightness - 0.5)
    return min(range(24, 96), key=lambda pitch: ((pitch - key.tonic) % 12 != 0, abs(pitch - middle)))


def _lead(music: tuple[Bar, ...], frame: Frame, plan: Plan, brief: Brief, style: Style) -> Lead:
    key = Key.parse(brief.key)
    bars = tuple(painted(bar, frame.tonic, style, brief.complexity) for bar in music)
    names = plan.materials
    return Lead(key, {name: bars[i * MATERIAL_BARS : (i + 1) * MATERIAL_BARS] for i, name in enumerate(names)})
