"""The `bot` table: five hundred people at once, a day without waiting, a cancelled piece, a forgotten listener.

Everything is measured on the real process (`serve`) against the loopback Discord in this one (`loopback.py`).
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.crowd import CANCELS, PEOPLE, Crowd, cancels, crowd
from benchmarks.day import Day, day, expected
from benchmarks.forgotten import Trace, forgotten
from benchmarks.result import Must, Options, Result, Rows

OVER_S = 10.0  # all of them wait for their pieces at the same time, but nobody's finger is that quick
HOURS, QUICK_HOURS = 24, 8
_WARM, _LAST = slice(2, 5), slice(-3, None)  # hours whose medians are compared
_ANSWER_MS, _STALL_MS, _CANCEL_S, _GROWTH = 300, 50, 2.0, 5.0


def run(options: Options) -> Result:
    console = Console(stderr=True, highlight=False)
    hours = QUICK_HOURS if options.quick else HOURS
    with tempfile.TemporaryDirectory(prefix="tunesmith-bot-") as folder:
        homes = iter(Path(folder) / f"home{number}" for number in range(5))
        crowds = {}
        for over_s in (OVER_S, 0.0):
            crowds[over_s] = asyncio.run(crowd(next(homes), people=PEOPLE, over_s=over_s))
            console.print(f"{PEOPLE} people over {over_s:g} s")
        stopped_s = asyncio.run(cancels(next(homes)))
        traces = asyncio.run(forgotten(next(homes)))
        console.print("forgotten")
        whole = asyncio.run(day(next(homes), hours))
    growth = 100 * (float(np.median(whole.memory_mb[_LAST])) / float(np.median(whole.memory_mb[_WARM])) - 1)
    tables = [_answers(crowds), _forgetting(traces), _hours(whole)]
    steady = crowds[OVER_S]
    answer_ms = float(np.percentile(steady.answers_ms, 99))
    stall_ms = max(float(np.percentile(part, 99)) for part in (steady.coming_ms, steady.waiting_ms))
    left = sum(trace.after for trace in traces)
    musts = [
        Must(f"{PEOPLE} /compose in {OVER_S:g} s, answer p99", f"≤ {_ANSWER_MS} ms", f"{answer_ms:.0f} ms",
             answer_ms <= _ANSWER_MS),
        Must("the loop's stall under that load, p99", f"≤ {_STALL_MS} ms", f"{stall_ms:.1f} ms", stall_ms <= _STALL_MS),
        Must(f"cancelled after the click, slowest of {CANCELS}", f"≤ {_CANCEL_S:g} s", f"{stopped_s.max():.2f} s",
             bool(stopped_s.max() <= _CANCEL_S)),
        Must(f"memory after {hours} h against hours 3–5", f"≤ +{_GROWTH:g} %", f"{growth:+.1f} %", growth <= _GROWTH),
        Must("pieces of the day, each once", str(expected(hours)), str(whole.pieces), whole.pieces == expected(hours)),
        Must("a used up quota lets in: at once, at the end", f"0, {int(hours >= HOURS)}",
             f"{int(whole.over_quota)}, {int(whole.quota_back)}",
             (whole.over_quota, whole.quota_back) == (False, hours >= HOURS)),
        Must("traces that could be found before", "all", f"{_found(traces)}", _found(traces) == _findable(traces)),
        Must("traces of a forgotten listener", "0", str(left), left == 0),
    ]  # fmt: skip
    day_note = (
        f"The day: {whole.pieces} pieces, {whole.late} after their token's end, {whole.resumes} resumes, "
        f"{whole.refits} refits; the clocks ran ahead by {hours} h in {whole.took_s:.0f} s."
    )
    notes = [
        day_note,
        f"Accepted of {PEOPLE}: {', '.join(str(one.accepted) for one in crowds.values())}.",
    ]
    return Result("bot", tables, musts, notes)


def _answers(crowds: dict[float, Crowd]) -> Rows:
    columns = {
        "what": "ms", "p50": "p50", "p99": "p99", "most": "most", "samples": "samples",
    }  # fmt: skip
    rows = []
    for over_s, found in crowds.items():
        when = "at once" if over_s == 0 else f"in {over_s:g} s"
        for what, times in (
            ("until the answer", found.answers_ms),
            ("late beat of the loop while they come", found.coming_ms),
            ("late beat of the loop while they wait", found.waiting_ms),
        ):
            rows.append({"what": f"{PEOPLE} {when}: {what}"} | _spread(times))
    return Rows(
        "/compose by five hundred people while a piece is rendered", columns, rows, {"p50": 1, "p99": 1, "most": 1}
    )


def _spread(times: Any) -> dict[str, Any]:
    return {
        "p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99)), "most": float(times.max()),
        "samples": len(times),
    }  # fmt: skip


def _forgetting(traces: list[Trace]) -> Rows:
    columns = {"what": "of the listener", "texts": "texts", "before": "found before", "after": "found afterwards",
               "logged": "in the log"}  # fmt: skip
    names = list(dict.fromkeys(trace.what for trace in traces))
    rows = []
    for name in names:
        mine = [trace for trace in traces if trace.what == name]
        rows.append({
            "what": name, "texts": len(mine), "before": sum(trace.before for trace in mine),
            "after": sum(trace.after for trace in mine), "logged": sum(trace.logged for trace in mine),
        })  # fmt: skip
    return Rows("Bytes under the home folder: database, journal, key, tracks, work", columns, rows)


def _findable(traces: list[Trace]) -> int:
    return sum(not trace.sealed for trace in traces)


def _found(traces: list[Trace]) -> int:
    return sum(trace.before > 0 for trace in traces)


def _hours(whole: Day) -> Rows:
    rows = [{"hour": number, "mb": size} for number, size in enumerate(whole.memory_mb, start=1)]
    return Rows("Memory of the bot's process at the end of each hour", {"hour": "hour", "mb": "MB"}, rows, {"mb": 1})
