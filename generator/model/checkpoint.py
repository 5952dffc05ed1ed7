"""Weights on disk: fp16 safetensors beside a JSON card that says what they are. No pickle is ever read."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from generator.errors import IncompatibleWeights, MissingWeights
from generator.model import tokens
from generator.model.transformer import Composer, Config

WEIGHTS_DIR = Path(__file__).parent / "weights"
SHIPPED = WEIGHTS_DIR / "composer.safetensors"


def save(model: Composer, path: Path, card: dict[str, Any]) -> None:
    """Write weights and card; each appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in model.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(state, partial)
    full_card = card | {
        "token_version": tokens.VERSION,
        "config": asdict(model.config),
        "parameters": model.parameter_count,
        "sha256": hashlib.sha256(partial.read_bytes()).hexdigest(),
    }
    card_partial = path.with_suffix(".json.partial")
    card_partial.write_text(json.dumps(full_card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.chmod(0o644)
    partial.replace(path)
    card_partial.replace(card_path(path))


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def read_card(path: Path = SHIPPED) -> dict[str, Any]:
    """Raises MissingWeights or IncompatibleWeights, each with one sentence."""
    if not path.is_file() or not card_path(path).is_file():
        raise MissingWeights(
            f"The composer's weights are missing at {path}; restore the file or train them with “tunesmith train”."
        )
    try:
        card: dict[str, Any] = json.loads(card_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IncompatibleWeights(f"The card {card_path(path).name} cannot be read: {error}.") from error
    if card.get("token_version") != tokens.VERSION:
        raise IncompatibleWeights(
            f"The weights speak token version {card.get('token_version')}, this Tunesmith version {tokens.VERSION}; "
            "train them again with “tunesmith train”."
        )
    return card


def load(path: Path = SHIPPED, device: torch.device | str = "cpu") -> tuple[Composer, dict[str, Any]]:
    """The model in float32, ready to sample, and its card. Raises MissingWeights or IncompatibleWeights."""
    card = read_card(path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != card.get("sha256"):
        raise IncompatibleWeights(f"The weights {path.name} do not match their card; the file is damaged or mixed up.")
    try:
        model = Composer(Config(**card["config"]))
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, TypeError, KeyError) as error:
        raise IncompatibleWeights(f"The weights {path.name} do not fit this Tunesmith: {error}.") from error
    return model.to(device).float().eval(), card
