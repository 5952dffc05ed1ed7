"""Give a piece a name: two words that fit its mood and style, drawn from the piece's own stream."""

from __future__ import annotations

from generator.brief import Brief
from generator.seeds import stream

# Quadrants of the mood plane: calm or lively, dark or bright.
_FEELINGS = {
    "calm bright": "Amber Drifting Gentle Golden Soft Quiet Silver Unhurried Warm Weightless Honeyed Open".split(),
    "calm dark": "Blue Fading Grey Hollow Late Lonely Distant Rainy Slow Sleepless Tired Winter".split(),
    "lively bright": "Bright Brave Electric First Leaping Lucky Neon Running Shining Summer Sunlit Wild".split(),
    "lively dark": "Burning Crooked Dark Fevered Hard Iron Midnight Red Restless Scarlet Sharp Storm".split(),
}
_THINGS = {
    "lofi": "Window Cassette Rooftop Notebook Kettle Streetlight Balcony Pages Mornings Polaroid".split(),
    "ambient": "Horizon Tides Glass Snowfield Orbit Canopy Lagoon Haze Meridian Aurora".split(),
    "jazz": "Avenue Hour Corner Promenade Cigarette Matinee Ballroom Avenues Serenade Nightcap".split(),
    "pop": "Hearts Weekend Signals Postcards Fireworks Highway Echoes Mirrors Summer Stereo".split(),
}
_ANY = "Letter Road River Garden Season Answer Room Light Parade Story".split()


def title_of(brief: Brief) -> str:
    """The Brief's own title, or a drawn one; the same seed gives the same name."""
    if brief.title:
        return brief.title
    rng = stream(brief.seed, "title")
    energy = "lively" if brief.mood.arousal > 0.1 else "calm"
    light = "bright" if brief.mood.valence >= 0.0 else "dark"
    feelings, things = _FEELINGS[f"{energy} {light}"], _THINGS.get(brief.style, _ANY)
    return f"{feelings[int(rng.integers(len(feelings)))]} {things[int(rng.integers(len(things)))]}"
