"""The compositions a cover may have, each painted from the piece's own notes, sections and energy.

Every scene is a function (score, palette, random) -> image of SIZE × SIZE; `SCENES` names them for `palettes.toml`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from generator.produce.canvas import (
    SIZE,
    Colour,
    Palette,
    between,
    contour,
    doubled,
    energy,
    glow,
    gradient,
    halved,
    lines,
)
from generator.score import Score

Scene = Callable[[Score, Palette, np.random.Generator], Image.Image]


def strata(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """Ridges under a low sun: each ridge is a part's melody contour, the nearest the slowest."""
    sun, warm, haze = colours.accents
    sky = [(0.0, colours.dark), (0.34, between(colours.dark, warm, 0.75)), (0.62, colours.light), (1.0, sun)]
    x = float(random.uniform(0.28, 0.72)) * SIZE
    y, radius = 0.43 * SIZE, float(random.uniform(0.12, 0.17)) * SIZE
    light = Image.new("RGB", (SIZE, SIZE))
    ImageDraw.Draw(light).ellipse([x - radius, y - radius, x + radius, y + radius], fill=sun)
    image = doubled(glow(gradient(sky, SIZE // 2), light, 150, 0.8))
    ImageDraw.Draw(image).ellipse(
        [x - radius, y - radius, x + radius, y + radius], fill=between(sun, (255, 255, 255), 0.35)
    )
    _stars(image, score, colours, until=0.3)
    voices = lines(score)
    layers = 7
    at = np.linspace(0, SIZE, 512)
    for layer in range(layers):
        depth = layer / (layers - 1)
        line = contour(score, voices[layer % len(voices)], 512, 0.02 + 0.1 * depth)
        slow = contour(score, voices[(layer + 1) % len(voices)], 512, 0.2)
        line = np.roll(line, int(random.integers(0, 512)) if layer else 0)
        line[:] = np.convolve(np.pad(line, 8, mode="edge"), np.hanning(17) / np.hanning(17).sum(), mode="valid")
        rough = np.cumsum(random.standard_normal(512))
        rough -= np.linspace(rough[0], rough[-1], 512)
        rough /= max(float(np.abs(rough).max()), 1.0)
        top = 0.5 + 0.46 * depth**1.15
        reach = 0.17 - 0.07 * depth
        height = SIZE * (top - reach * (0.6 * line + 0.28 * slow + 0.16 * rough))
        far = between(colours.light, haze, 0.55)
        fill = between(far, colours.ink, depth**0.8)
        shape = [(0.0, float(SIZE)), *zip(at.tolist(), height.tolist(), strict=True), (float(SIZE), float(SIZE))]
        ImageDraw.Draw(image).polygon(shape, fill=fill)
        if layer < layers - 1:
            _mist(image, top, between(far, colours.light, 0.4), 0.25 * (1 - depth))
    return image


def _stars(image: Image.Image, score: Score, colours: Palette, until: float) -> None:
    """The leading part's highest notes as points of light above."""
    draw = ImageDraw.Draw(image)
    notes = sorted(lines(score)[0], key=lambda note: -note.pitch)[:60]
    for number, note in enumerate(notes):
        x = (note.onset / max(score.end_tick, 1) * 0.92 + 0.04) * SIZE
        y = ((number * 0.618034) % 1.0 * until + 0.03) * SIZE
        size = 1.5 + 4.5 * (note.velocity / 127) ** 2
        draw.ellipse([x - size, y - size, x + size, y + size], fill=between(colours.dark, colours.accents[0], 0.75))


def _mist(image: Image.Image, top: float, colour: Colour, strength: float) -> None:
    begin = round((top - 0.06) * SIZE)
    place = np.linspace(0, 1, SIZE)[begin:]
    alpha = np.clip((place - top + 0.06) / 0.16, 0, 1) * strength * 255
    mask = Image.fromarray(np.repeat(alpha.astype(np.uint8)[:, None], SIZE, 1), "L")
    image.paste(colour, (0, begin, SIZE, SIZE), mask)


def ribbons(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """A sheet of fine lines, lifted where the music rises: light on water."""
    first, second, third = colours.accents
    image = gradient([(0.0, colours.ink), (0.5, colours.dark), (1.0, between(colours.dark, colours.light, 0.65))])
    voices = lines(score)
    points = 400
    x = np.linspace(-0.02, 1.02, points) * SIZE
    lift = energy(score, points)
    lift = np.convolve(np.pad(lift, 40, mode="edge"), np.hanning(81) / np.hanning(81).sum(), mode="valid")
    curves = [contour(score, voice, points, 0.09) for voice in voices[:4]]
    turns = random.uniform(0, 2 * math.pi, 3)
    light = Image.new("RGB", (SIZE, SIZE))
    draw = ImageDraw.Draw(light)
    count = 74
    for number in range(count):
        place = number / (count - 1)
        mixed = sum(
            curve * math.exp(-(((place - (k + 0.5) / len(curves)) / 0.24) ** 2)) for k, curve in enumerate(curves)
        )
        swell = 0.03 * np.sin(x / SIZE * 5 + turns[0] + place * 4) + 0.02 * np.sin(x / SIZE * 11 + turns[1] - place * 6)
        y = (0.13 + 0.8 * place - (0.11 + 0.13 * lift) * mixed * math.sin(math.pi * place) ** 0.6 + swell) * SIZE
        shade = between(
            between(colours.light, first, place * 1.6), second if number % 9 else third, max(place * 1.5 - 0.6, 0)
        )
        bright = 0.35 + 0.65 * math.sin(math.pi * min(place * 1.15, 1.0))
        draw.line(
            list(zip(x.tolist(), y.tolist(), strict=True)),
            fill=between((0, 0, 0), shade, bright),
            width=4 + int(7 * (number % 9 == 0)),
            joint="curve",
        )
    image = glow(halved(image), light, 70, 0.85)
    return glow(image, light, 2, 0.95)


def orbit(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """The piano roll wound round a record: time is the angle, pitch the distance, each part its colour."""
    centre = SIZE / 2
    image = gradient([(0.0, colours.light), (1.0, colours.dark)])
    draw = ImageDraw.Draw(image)
    is_dark = sum(colours.dark) < 380
    line = between(colours.blend(0.5), (255, 255, 255) if is_dark else colours.ink, 0.13)
    voices = lines(score)
    pitches = [note.pitch for voice in voices for note in voice] or [60]
    low, span = min(pitches), max(max(pitches) - min(pitches), 12)
    for ring in range(9):
        radius = (0.15 + 0.32 * ring / 8) * SIZE
        draw.ellipse([centre - radius, centre - radius, centre + radius, centre + radius], outline=line, width=3)
    turn = float(random.uniform(0, 360))
    order = [*range(len(voices))][::-1]
    for voice in order:
        colour = (
            colours.accents[voice % 3] if voice < 3 else between(colours.accents[voice % 3], colours.blend(0.5), 0.45)
        )
        for note in voices[voice]:
            start = turn + note.onset / score.end_tick * 360
            sweep = max(note.duration / score.end_tick * 360, 1.2)
            radius = (0.15 + 0.32 * (note.pitch - low) / span) * SIZE
            width = int((0.009 + 0.017 * (note.velocity / 127) ** 1.5) * SIZE * (1.25 if voice == 0 else 0.85))
            draw.polygon(_bow(centre, radius, width, start, sweep), fill=colour)
            for end in (start, start + sweep):
                x, y = centre + radius * math.cos(math.radians(end)), centre + radius * math.sin(math.radians(end))
                draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=colour)
    label, hole = 0.1 * SIZE, 0.016 * SIZE
    draw.ellipse([centre - label, centre - label, centre + label, centre + label], fill=colours.accents[0])
    draw.ellipse([centre - hole, centre - hole, centre + hole, centre + hole], fill=colours.ink)
    if is_dark:
        lit = image.point([max(level - 90, 0) for level in range(256)] * 3)
        image = glow(halved(image), lit, 60, 0.7)
    return image


def _bow(centre: float, radius: float, width: int, start: float, sweep: float) -> list[tuple[float, float]]:
    """The outline of a bent stroke, angles in degrees. Pillow's own arcs go through every row of their circle."""
    angles = np.radians(np.linspace(start, start + sweep, max(2, math.ceil(sweep / 2) + 1)))
    there, back = radius + width / 2, radius - width / 2
    x = centre + np.concatenate([there * np.cos(angles), back * np.cos(angles[::-1])])
    y = centre + np.concatenate([there * np.sin(angles), back * np.sin(angles[::-1])])
    return list(zip(x.tolist(), y.tolist(), strict=True))


def mosaic(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """A grid of quarter circles: each tile is a chord, cut by the melody, turned by its root, coloured by energy."""
    cells = int(random.choice([4, 4, 5, 6]))
    side = SIZE // cells + 1
    image = Image.new("RGB", (SIZE, SIZE), colours.light)
    draw = ImageDraw.Draw(image)
    grounds = [colours.light, colours.dark, *colours.accents]
    chords = score.chords
    lift = energy(score, cells * cells)
    tune = contour(score, lines(score)[0], cells * cells, 0.03)
    kinds, turns = random.integers(0, 6, 4), random.integers(0, 4, 4)
    previous: Colour | None = None
    row_before: list[Colour] = [colours.ink] * cells
    for cell in range(cells * cells):
        chord = chords[cell * len(chords) // (cells * cells)] if chords else None
        root, size = (chord.root, len(chord.pitch_classes)) if chord else (cell, 3)
        x, y = cell % cells * side, cell // cells * side
        choices = [c for c in grounds if c not in (previous, row_before[cell % cells])]
        ground = choices[(root * 5 + size + int(random.integers(0, 3))) % len(choices)]
        figures = [c for c in grounds if c != ground]
        figure = figures[(root + int(lift[cell] * 3) + int(random.integers(0, 2))) % len(figures)]
        previous = row_before[cell % cells] = ground
        draw.rectangle([x, y, x + side, y + side], fill=ground)
        _tile(
            draw,
            (x, y, side),
            int(kinds[cell % 4] + root + tune[cell] * 5) % 6,
            int(turns[root % 4] + cell) % 4,
            figure,
            colours.ink if size > 3 else ground,
        )
    return image


def _tile(
    draw: ImageDraw.ImageDraw, place: tuple[int, int, int], kind: int, turn: int, figure: Colour, dot: Colour
) -> None:
    x, y, side = place
    corner_x, corner_y = x + (side if turn in (1, 2) else 0), y + (side if turn >= 2 else 0)
    box = [corner_x - side, corner_y - side, corner_x + side, corner_y + side]
    start = (0, 90, 180, 270)[turn]
    if kind in (0, 1, 2):
        draw.pieslice(box, start, start + 90, fill=figure)
        if kind == 1:
            inner = [corner_x - side / 2, corner_y - side / 2, corner_x + side / 2, corner_y + side / 2]
            draw.pieslice(inner, start, start + 90, fill=dot)
    elif kind == 3:
        draw.ellipse([x + side * 0.14, y + side * 0.14, x + side * 0.86, y + side * 0.86], fill=figure)
        draw.ellipse([x + side * 0.36, y + side * 0.36, x + side * 0.64, y + side * 0.64], fill=dot)
    elif kind == 4:
        half = [x, y - side / 2, x + side, y + side / 2] if turn % 2 else [x, y + side / 2, x + side, y + side * 1.5]
        draw.pieslice(half, 0 if turn % 2 else 180, 180 if turn % 2 else 360, fill=figure)
    else:
        for bar in range(4):
            draw.rectangle([x, y + side * bar / 4, x + side, y + side * (bar + 0.5) / 4], fill=figure)


def sunset(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """A striped sun, a skyline that is the melody, and a grid of bars running to the horizon."""
    sun, warm, neon = colours.accents
    horizon = 0.63
    sky = [(0.0, colours.ink), (0.3, colours.dark), (horizon, colours.light), (1.0, colours.light)]
    radius, centre = 0.27 * SIZE, SIZE / 2
    middle = 0.42 * SIZE
    disc = np.asarray(gradient([(0.0, sun), (0.18, sun), (0.6, warm), (0.72, colours.light), (1.0, colours.light)]))
    rows, columns = np.ogrid[0:SIZE, 0:SIZE]
    inside = (rows - middle) ** 2 + (columns - centre) ** 2 < radius**2
    below = (rows - middle) / radius
    stripes = (below > 0) & ((below * 7) % 1.0 < 0.12 + 0.5 * below)
    mask = Image.fromarray((inside & ~stripes).astype(np.uint8) * 255, "L")
    light = Image.new("RGB", (SIZE, SIZE))
    light.paste(Image.fromarray(disc), (0, 0), mask)
    image = doubled(glow(gradient(sky, SIZE // 2), light, 130, 0.75))
    _stars(image, score, colours, until=0.4)
    image.paste(Image.fromarray(disc), (0, 0), mask.filter(ImageFilter.GaussianBlur(1)))
    draw = ImageDraw.Draw(image)
    for layer, voice in enumerate((lines(score) * 2)[1::-1]):
        line = contour(score, voice, 96, 0.02 + 0.02 * (1 - layer))
        reach = (0.2 - 0.07 * layer) * SIZE * (0.35 + 0.65 * np.abs(np.linspace(-1, 1, 96)))
        x = np.linspace(0, SIZE, 96)
        top = horizon * SIZE - reach * (0.15 + 0.85 * line)
        fill = between(colours.dark, colours.ink, 0.35 + 0.6 * layer)
        draw.polygon(
            [(0.0, horizon * SIZE), *zip(x.tolist(), top.tolist(), strict=True), (float(SIZE), horizon * SIZE)],
            fill=fill,
        )
        draw.line(list(zip(x.tolist(), top.tolist(), strict=True)), fill=between(fill, neon, 0.75 * layer), width=5)
    draw.rectangle([0, horizon * SIZE, SIZE, SIZE], fill=colours.ink)
    grid = Image.new("RGB", (SIZE, SIZE))
    pen = ImageDraw.Draw(grid)
    start = float(random.uniform(0.0, 1.0))
    for number in range(16):
        depth = ((number + start) / 16) ** 2.4
        y = (horizon + (1 - horizon) * depth) * SIZE
        pen.line([0, y, SIZE, y], fill=neon, width=3 + int(7 * depth))
    for number in range(-16, 17):
        pen.line(
            [centre + number * 0.028 * SIZE, horizon * SIZE, centre + number * 0.22 * SIZE, SIZE], fill=neon, width=5
        )
    return glow(glow(halved(image), grid, 28, 0.8), grid, 1, 0.8)


def arches(score: Score, colours: Palette, random: np.random.Generator) -> Image.Image:
    """Bands of colour sweeping round corners, as wide as each part is busy."""
    image = Image.new("RGB", (SIZE, SIZE), colours.light)
    draw = ImageDraw.Draw(image)
    voices = lines(score)
    busy = np.array([max(len(voice), 4) for voice in voices], dtype=np.float64) ** 0.4
    bands = np.concatenate([busy, busy[::-1]])[:7]
    bands = 0.55 * bands / bands.sum()
    shades = [colours.accents[0], colours.accents[1], colours.light, colours.accents[2], colours.dark]
    flip = bool(random.integers(0, 2))
    large = float(random.uniform(0.8, 0.92))
    small = 1.36 - large
    corners = [(0.0, 1.0, large), (1.0, 0.0, small)] if flip else [(1.0, 1.0, large), (0.0, 0.0, small)]
    for corner, (x, y, size) in enumerate(corners):
        radius = size
        for band, width in enumerate(np.concatenate([bands, [0.0]])):
            box = [(x - radius) * SIZE, (y - radius) * SIZE, (x + radius) * SIZE, (y + radius) * SIZE]
            draw.ellipse(box, fill=shades[(band + 2 * corner) % len(shades)])
            radius -= float(width) * size * 1.25
            if radius < 0.08:
                break
    tune = voices[0][:: max(len(voices[0]) // 28, 1)][:28]
    pitches = [note.pitch for note in tune] or [60]
    low, span = min(pitches), max(max(pitches) - min(pitches), 7)
    x, y, _ = corners[0]
    for number, note in enumerate(tune):  # the tune, strung along the arch
        away = large * (0.42 + 0.5 * (note.pitch - low) / span)
        angle = math.radians(4 + 82 * (number + 0.5) / len(tune))
        spot_x = (x + away * math.cos(angle) * (1 if x == 0 else -1)) * SIZE
        spot_y = (y - away * math.sin(angle)) * SIZE
        size = (0.006 + 0.011 * note.velocity / 127) * SIZE
        draw.ellipse([spot_x - size, spot_y - size, spot_x + size, spot_y + size], fill=colours.ink)
    return image


SCENES: Mapping[str, Scene] = MappingProxyType(
    {"strata": strata, "ribbons": ribbons, "orbit": orbit, "mosaic": mosaic, "sunset": sunset, "arches": arches}
)
