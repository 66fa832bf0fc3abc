"""Interleaved rounds: those compared take turns, and a ratio is of one round, so the machine's drift cancels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles

# A round's ratio this far from the median, half of the time, says more about the machine than about the service.
NOISY = 0.15


@dataclass(frozen=True)
class Sample:
    """One turn: how long each call took, how long all took together, in seconds, how many rows a call moves, and the
    CPU time of whoever answered, where that is known.
    """

    calls: list[float]
    seconds: float
    rows: int = 1
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Rows a second."""
        return len(self.calls) * self.rows / self.seconds

    @property
    def p99(self) -> float:
        """Seconds; all of the turn, when nothing was answered in it."""
        return sorted(self.calls)[len(self.calls) * 99 // 100] if self.calls else self.seconds


Turn = Callable[[], Sample]


@dataclass(frozen=True)
class Ratio:
    """The median over the rounds, and the quartiles around it."""

    median: float
    low: float
    high: float

    @property
    def noisy(self) -> bool:
        return (self.high - self.low) / 2 > NOISY * self.median

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f}){' noisy' if self.noisy else ''}"


@dataclass(frozen=True)
class Result:
    """What one operation gave, by target."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def ratio(self, target: str, other: str) -> Ratio:
        """How many times the other's rate the target reaches."""
        return _ratio([a.rate / b.rate for a, b in zip(self.samples[target], self.samples[other], strict=True)])

    def cost(self, target: str, other: str) -> Ratio:
        """How many times as long as the other's the target's median call takes."""
        pairs = zip(self.samples[target], self.samples[other], strict=True)
        return _ratio([median(a.calls) / median(b.calls) for a, b in pairs])

    def tail(self, target: str, other: str) -> Ratio:
        """How many times as long as the other's the slowest call in a hundred of the target takes."""
        pairs = zip(self.samples[target], self.samples[other], strict=True)
        return _ratio([a.p99 / b.p99 for a, b in pairs])

    def work(self, target: str, other: str) -> Ratio:
        """How many times the other's CPU time a call of the target takes; others on the machine hardly change it."""
        pairs = zip(self.samples[target], self.samples[other], strict=True)
        return _ratio([(a.cpu / len(a.calls)) / (b.cpu / len(b.calls)) for a, b in pairs])

    def rate(self, target: str) -> float:
        return median(sample.rate for sample in self.samples[target])

    def percentile(self, target: str, percent: int) -> float:
        """Milliseconds of a call, over all rounds."""
        calls = [call for sample in self.samples[target] for call in sample.calls]
        return quantiles(calls, n=100)[percent - 1] * 1000


def interleave(turns: Mapping[str, Turn], rounds: int) -> Result:
    """Every target once a round, forwards and backwards in turn; a first round warms up and is not counted."""
    result = Result({name: [] for name in turns})
    for number in range(rounds + 1):
        names = list(turns) if number % 2 else list(reversed(turns))
        for name in names:
            sample = turns[name]()
            if number:
                result.samples[name].append(sample)
    return result


def _ratio(values: list[float]) -> Ratio:
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return Ratio(median(values), low, high)
