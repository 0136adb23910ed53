"""What the class day found: figures, problems, pictures; one JSON object at the end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

FIGURES = (
    "join_ms",
    "handover_ms",
    "glass_to_glass_ms",
    "recover_ms",
    "replay_ready_ms",
    "recorded_s",
    "lost_s",
)


class Missing(Exception):
    """Something that must be there is not, and what follows would make no sense."""


@dataclass
class Report:
    """Collects; `as_json` is what the run prints."""

    figures: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)  # those that were gone through to the end
    began: float = field(default_factory=time.monotonic)

    def check(self, good: object, sentence: str) -> bool:
        """Note a problem unless `good`; returns whether it was good."""
        if not good:
            self.problems.append(sentence)
            self.say(f"  PROBLEM: {sentence}")
        return bool(good)

    def need(self, good: object, sentence: str) -> None:
        """Note a problem and leave the step unless `good`.  Raises Missing."""
        if not good:
            raise Missing(sentence)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run one step of the day: its failure is a problem, named after it, and ends the day."""
        began = time.monotonic()
        self.say(f"[{began - self.began:6.1f} s] {name}")
        try:
            yield
        except Exception as error:
            first = str(error).strip() or type(error).__name__
            self.problems.append(f"{name}: {first[:1500]}")
            raise
        self.steps.append(name)
        self.details.setdefault("steps_s", {})[name] = round(time.monotonic() - began, 1)

    def say(self, text: str) -> None:
        """Tell whoever watches; the JSON stays alone on standard output."""
        print(text, file=sys.stderr, flush=True)

    @property
    def ok(self) -> bool:
        """Return whether everything was there: every figure, and no problem."""
        return not self.problems and all(self.figures.get(name) is not None for name in FIGURES)

    def as_json(self) -> str:
        """Return one line of JSON."""
        absent = [name for name in FIGURES if self.figures.get(name) is None]
        problems = self.problems + [f"there is no figure for {name}" for name in absent]
        body = {
            "ok": not problems,
            **{name: self.figures.get(name) for name in FIGURES},
            "problems": problems,
            "took_s": round(time.monotonic() - self.began, 1),
            "details": self.details,
        }
        return json.dumps(body, ensure_ascii=False)
