"""A worker process: reads one JSON order per line from standard input, writes one JSON event per line.

    in   {"track_id": …, "brief": …, "out_dir": …, "takes": …, "ranker": …, "soundfont": …,
          "delivery": …, "parent": …, "changes": …}
    out  {"ready": true}, {"progress": [stage, fraction]}, {"finished": track},
         {"refused": sentence}, {"failed": sentence} and "trace" with it for a bug

It stays warm between orders, and is gone as soon as its parent is: the end of standard input means exit.
Started as `python -m bot.engine.child MODULE:COMPOSE MODULE:EDIT`; the second is imported when first needed.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from generator.brief import Brief, BriefError
from generator.errors import GeneratorError, QualityError
from generator.produce.delivery import Delivery

Write = Callable[[dict[str, Any]], None]


def main() -> None:
    write = _event_writer()
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
    compose_track = _function(sys.argv[1])
    write({"ready": True})
    while True:
        order = json.loads(orders.get())
        make = _compose(order, compose_track) if order["parent"] is None else _edit(order, sys.argv[2])
        _carry_out(order, make, write)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _compose(order: dict[str, Any], compose_track: Callable[..., Any]) -> Callable[..., Any]:
    def make(**common: Any) -> Any:
        brief = Brief.from_dict(order["brief"])
        rank = _ranker(order["ranker"])
        return compose_track(brief, Path(order["out_dir"]), takes=order["takes"], rank=rank, **common)

    return make


def _edit(order: dict[str, Any], editor: str) -> Callable[..., Any]:
    def make(**common: Any) -> Any:
        seed = Brief.from_dict(order["brief"]).seed
        edit_folder = _function(editor)
        return edit_folder(Path(order["parent"]), order["changes"], Path(order["out_dir"]), seed=seed, **common)

    return make


def _event_writer() -> Write:
    """Events go to the real standard output; whatever a library prints goes to standard error instead."""
    events: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lock = threading.Lock()

    def write(event: dict[str, Any]) -> None:
        with lock:
            events.write(json.dumps(event) + "\n")
            events.flush()

    return write


def _read_orders(orders: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(0)  # the parent is gone; nobody would fetch the piece


def _carry_out(order: dict[str, Any], make: Callable[..., Any], write: Write) -> None:
    try:
        track = make(
            track_id=order["track_id"],
            soundfont=Path(order["soundfont"]) if order["soundfont"] else None,
            delivery=Delivery.from_dict(order["delivery"]),
            on_progress=lambda progress: write({"progress": [progress.stage, progress.fraction]}),
        )
        write({"finished": track.to_dict()})
    except QualityError as error:
        write({"refused": str(error)})
    except (GeneratorError, BriefError) as error:
        write({"failed": str(error)})
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        write({"failed": f"The piece could not be written{where}: {error.strerror or error}."})
    except Exception as error:  # noqa: BLE001 - the process boundary: a bug must not look like a lost worker
        sentence = f"Composing failed because of a mistake of ours ({type(error).__name__}); it is in the log."
        write({"failed": sentence, "trace": traceback.format_exc()})


def _ranker(state: dict[str, Any] | None) -> Callable[..., Any] | None:
    if state is None:
        return None
    from personalization.rerank import load_ranker  # noqa: PLC0415 - only when there is a taste to follow

    loaded: Callable[..., Any] = load_ranker(state)
    return loaded


if __name__ == "__main__":
    main()
