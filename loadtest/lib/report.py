"""Rows of the table: gates, and what is told beside them."""

import json
import statistics
from dataclasses import dataclass


@dataclass
class Row:
    """What was measured, a value a round. A row with a limit is a gate.

    `better` is "lower" or "higher"; `aim` is what we want, `limit` what we accept; `note` says how.
    """

    name: str
    values: list
    better: str
    unit: str = ""
    limit: float = None
    aim: float = None
    note: str = ""

    @property
    def value(self):
        return statistics.median(self.values)

    @property
    def is_gate(self):
        return self.limit is not None

    @property
    def passes(self):
        return self.value <= self.limit if self.better == "lower" else self.value >= self.limit

    def json(self):
        row = {"name": self.name, "value": round(self.value, 4), "better": self.better}
        if self.is_gate:
            row |= {"limit": self.limit, "pass": self.passes}
        if self.aim is not None:
            row["aim"] = self.aim
        spread = [round(min(self.values), 4), round(max(self.values), 4)]
        return row | {"unit": self.unit, "spread": spread, "rounds": len(self.values), "note": self.note}


def table(rows, quick):
    """Gates first, then information. `quick` are the lines that say what a quick run lets pass."""
    lines = [("gate", "median", "min–max", "limit", "aim", "pass", "")]
    lines += [_line(row) for row in rows if row.is_gate]
    lines += [("", "", "", "", "", "", ""), ("information", "median", "min–max", "", "aim", "", "")]
    lines += [_line(row) for row in rows if not row.is_gate]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    text = "\n".join(
        "  ".join([line[0].ljust(widths[0])] + [line[i].rjust(widths[i]) for i in range(1, 6)] + [line[6]]).rstrip()
        for line in lines
    )
    return "\n".join([*(f"quick: {line}" for line in quick), text])


def _line(row):
    def bound(value):
        return "" if value is None else ("≤ " if row.better == "lower" else "≥ ") + _number(value)

    spread = f"{_number(min(row.values))}–{_number(max(row.values))}" if len(row.values) > 1 else ""
    passes = ("yes" if row.passes else "NO") if row.is_gate else ""
    value = f"{_number(row.value)} {row.unit}".rstrip()
    return row.name, value, spread, bound(row.limit), bound(row.aim), passes, row.note


def _number(value):
    """Three digits that tell something."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def write_summary(file, rows, broken, quick):
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = {
        "gates": [row.json() for row in rows if row.is_gate],
        "information": [row.json() for row in rows if not row.is_gate],
        "quick": quick,
        "broken": broken,
    }
    file.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    return file
