"""What every benchmark hands back: rows, musts, and the machine they were measured on."""

from __future__ import annotations

import json
import os
import platform
import resource
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.table import Table

_Made = TypeVar("_Made")


def machine() -> dict[str, Any]:
    """What figures depend on, without naming the machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
    }


def highest_mib(work: Callable[[], _Made]) -> tuple[_Made, float]:
    """What `work` makes, and the highest memory meanwhile of this process and all that it has running, together (on
    Linux; elsewhere of this process alone). Looked at every 20 ms."""
    if not Path("/proc/self/status").exists():
        return work(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    over, seen = threading.Event(), [_resident_mib()]

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(_resident_mib())

    threading.Thread(target=watch).start()
    try:
        return work(), max(seen)
    finally:
        over.set()


def _resident_mib() -> float:
    own, lines = Path("/proc/self"), Path("/proc/self/status").read_text().splitlines()
    command = (own / "cmdline").read_bytes()
    for one in _running():
        with suppress(OSError):  # it has just ended
            if (one / "cmdline").read_bytes() != command:  # else it has not begun, and its memory is ours
                lines += (one / "status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def cpu_s() -> float:
    """Seconds of processor time of this process so far, of those that it has ended and (on Linux) has running."""
    ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    ticks = 0
    for one in _running():
        with suppress(OSError):  # it has just ended
            ticks += sum(int(tick) for tick in (one / "stat").read_text().rpartition(")")[2].split()[11:13])
    return sum(used.ru_utime + used.ru_stime for used in ended) + ticks / os.sysconf("SC_CLK_TCK")


def _running() -> list[Path]:
    """The processes that threads of this one have started and that still run."""
    found: list[Path] = []
    for thread in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            found += [Path("/proc") / number for number in thread.read_text().split()]
    return found


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: fewer pieces, where the corpora lie (None: do without), whether taste is measured on real pieces."""

    quick: bool = False
    data: Path | None = None
    generator: bool = False


@dataclass(frozen=True, slots=True)
class Must:
    """One promise: what was promised, what was measured, whether it holds."""

    name: str
    limit: str
    value: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """One printed table; every row has the keys of `columns`, whose values are the headings. `digits` says how many
    a column's figures resolve, 2 where it does not."""

    title: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    digits: Mapping[str, int] = field(default_factory=dict)

    def table(self) -> Table:
        table = Table(title=self.title, title_justify="left")
        for key, heading in self.columns.items():
            numeric = any(isinstance(row[key], int | float) for row in self.rows)
            table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*(_text(row[key], self.digits.get(key, 2)) for key in self.columns))
        return table


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    tables: Sequence[Rows]
    musts: Sequence[Must]
    notes: Sequence[str] = ()
    machine: dict[str, Any] = field(default_factory=machine)

    @property
    def passed(self) -> bool:
        return all(must.passed for must in self.musts)

    def show(self) -> None:
        # Wide enough for every table: a figure that is cut off is no figure.
        console = Console(highlight=False, width=150)
        console.print(", ".join(f"{name} {value}" for name, value in self.machine.items()))
        for rows in self.tables:
            console.print(rows.table())
        for note in self.notes:
            console.print(note)
        columns = {"name": "must", "limit": "limit", "value": "measured", "verdict": "holds"}
        rows_of_musts = [asdict(must) | {"verdict": "yes" if must.passed else "NO"} for must in self.musts]
        console.print(Rows("Musts", columns, rows_of_musts).table())

    def write(self, path: Path) -> None:
        data = {
            "table": self.name,
            "passed": self.passed,
            "machine": self.machine,
            "tables": [{"title": rows.title, "rows": [dict(row) for row in rows.rows]} for rows in self.tables],
            "musts": [asdict(must) for must in self.musts],
            "notes": list(self.notes),
        }
        path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _text(value: Any, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return "–" if value is None else str(value)
