"""Whose music taught the composer: the facts of the model card that ships beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Corpus:
    credit: str
    licence: str
    pieces: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    name: str
    parameters: int
    corpora: tuple[Corpus, ...]


@cache
def model_facts() -> ModelFacts:
    """Read once; reads a file."""
    card = json.loads((resources.files("generator") / "model/weights/composer.json").read_text("utf-8"))
    corpora = tuple(Corpus(one["credit"], one["licence"], one["pieces"]) for one in card["corpora"])
    return ModelFacts(card["name"], card["parameters"], corpora)
