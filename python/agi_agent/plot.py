"""Charts as SVG, for code that runs where no compiled library can be loaded.

Four kinds on one pair of axes: lines, points, bars, histograms. Nothing is imported
that costs time, nothing is drawn on a screen: a figure becomes text. It must not grow
into a plotting library; what it cannot draw is drawn with one (`wheels`).

    from agi_agent import plot
    plot.Figure("Rain", x="month").bar(["Jan", "Feb"], [31, 24]).show()
"""

from __future__ import annotations

import math
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Figure"]

PLACE = "AGI_AGENT_PLOTS"
"""Names the directory in which `python_exec` looks for what was drawn."""

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2")
"""One per series, told apart by people who see few colours."""

LEFT, RIGHT, TOP, BOTTOM = 64, 16, 36, 48
"""Pixels around the plot for titles and the numbers of the axes."""

MOST_POINTS = 100_000
"""Marks of one figure; more would make a file that no viewer opens."""


class Figure:
    """One chart. Each method that adds a series gives the figure back."""

    def __init__(
        self,
        title: str = "",
        *,
        x: str = "",
        y: str = "",
        width: int = 640,
        height: int = 400,
    ) -> None:
        """Start an empty chart.

        Args:
            title: Stands above the plot.
            x: What the horizontal axis shows.
            y: What the vertical axis shows.
            width: Pixels, at least 160.
            height: Pixels, at least 120.
        """
        self._texts = (title, x, y)
        self._size = (max(160, int(width)), max(120, int(height)))
        self._series: list[_Series] = []
        self._names: list[str] = []

    def line(
        self,
        xs: Iterable[float],
        ys: Iterable[float] | None = None,
        *,
        label: str = "",
    ) -> Figure:
        """Add a line through points; with one list it is drawn over 0, 1, 2, ….

        A value that is no number (`nan`, infinite) breaks the line.
        """
        self._add("line", _pairs(xs, ys), label)
        return self

    def scatter(
        self,
        xs: Iterable[float],
        ys: Iterable[float] | None = None,
        *,
        label: str = "",
    ) -> Figure:
        """Add points; a value that is no number is left out."""
        self._add("scatter", _pairs(xs, ys), label)
        return self

    def bar(
        self, names: Iterable[object], values: Iterable[float], *, label: str = ""
    ) -> Figure:
        """Add bars, side by side with those of other calls that have the same names.

        Raises:
            ValueError: The names are not as many as the values, or not those of the
                bars that are there.
        """
        found = [str(name) for name in names]
        pairs = _pairs([float(at) for at in range(len(found))], values)
        if self._names and self._names != found:
            message = "bars of one figure have the same names"
            raise ValueError(message)
        self._names = found
        self._add("bar", pairs, label)
        return self

    def histogram(
        self, values: Iterable[float], bins: int = 10, *, label: str = ""
    ) -> Figure:
        """Count values in `bins` intervals of equal width and draw the counts.

        Raises:
            ValueError: There is no finite value, or no bin.
        """
        finite = [float(value) for value in values if math.isfinite(value)]
        if not finite or bins < 1:
            message = "a histogram needs a finite value and a bin"
            raise ValueError(message)
        low, high = min(finite), max(finite)
        width = (high - low) / bins or 1.0
        counts = [0] * bins
        for value in finite:
            counts[min(bins - 1, int((value - low) / width))] += 1
        edges = [low + width * at for at in range(bins + 1)]
        points = [
            (edge, float(count)) for edge, count in zip(edges, counts, strict=False)
        ]
        points.append((edges[-1], 0.0))
        self._add("histogram", points, label)
        return self

    def svg(self) -> str:
        """Draw.

        Raises:
            ValueError: Nothing can be drawn: no series, or no finite number in any.
        """
        frame = _Frame(self._size, self._series, self._names)
        width, height = self._size
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            *frame.axes(self._names),
        ]
        bars = [series for series in self._series if series.kind == "bar"]
        for number, series in enumerate(self._series):
            colour = COLOURS[number % len(COLOURS)]
            place = bars.index(series) if series in bars else 0
            parts += frame.marks(series, colour, (place, len(bars)))
        parts += _titles(self._texts, self._size)
        parts += _legend(self._series, width)
        return "\n".join([*parts, "</svg>", ""])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing to a file and give its path."""
        place = Path(path)
        place.write_text(self.svg(), encoding="utf-8")
        return place

    def show(self) -> Path:
        """Hand the drawing to whoever runs this code.

        Inside `python_exec` it comes back with the result; elsewhere it is a file
        `plot-N.svg` in the working directory.
        """
        place = Path(os.environ.get(PLACE) or ".")
        number = 1
        while (place / f"plot-{number}.svg").exists():
            number += 1
        return self.save(place / f"plot-{number}.svg")

    def _add(self, kind: str, points: list[tuple[float, float]], label: str) -> None:
        count = len(points) + sum(len(series.points) for series in self._series)
        if count > MOST_POINTS:
            message = f"a figure has at most {MOST_POINTS} points"
            raise ValueError(message)
        self._series.append(_Series(kind, points, label))


class _Series:
    """What one call added."""

    def __init__(
        self, kind: str, points: list[tuple[float, float]], label: str
    ) -> None:
        """Keep the points as they are; those that are no numbers included."""
        self.kind, self.points, self.label = kind, points, label


class _Frame:
    """From numbers to pixels."""

    def __init__(
        self, size: tuple[int, int], series: Sequence[_Series], names: Sequence[str]
    ) -> None:
        """Find the ranges of both axes."""
        points = [
            point
            for one in series
            for point in one.points
            if math.isfinite(point[0]) and math.isfinite(point[1])
        ]
        if not points:
            message = "there is nothing to draw: no finite number in any series"
            raise ValueError(message)
        self.width, self.height = size
        xs, ys = [x for x, _ in points], [y for _, y in points]
        if any(one.kind in ("bar", "histogram") for one in series):
            ys.append(0.0)
        self.y_ticks = _ticks(min(ys), max(ys), max(2, self.height // 60))
        self.bottom = min(*ys, self.y_ticks[0])
        self.top = max(*ys, self.y_ticks[-1])
        self.x_ticks: list[float] = []
        if names:
            self.left, self.right = min(-0.5, *xs), max(len(names) - 0.5, *xs)
        else:
            self.x_ticks = _ticks(min(xs), max(xs), max(2, self.width // 90))
            self.left = min(*xs, self.x_ticks[0])
            self.right = max(*xs, self.x_ticks[-1])

    def x(self, value: float) -> float:
        """Pixels from the left."""
        share = (value - self.left) / (self.right - self.left)
        return round(LEFT + share * (self.width - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        """Pixels from above."""
        share = (value - self.bottom) / (self.top - self.bottom)
        return round(self.height - BOTTOM - share * (self.height - TOP - BOTTOM), 2)

    def axes(self, names: Sequence[str]) -> list[str]:
        """Lines and numbers of both axes."""
        low, right = self.height - BOTTOM, self.width - RIGHT
        parts = []
        for tick in self.y_ticks:
            y = self.y(tick)
            parts.append(
                f'<path d="M{LEFT} {y}H{right}" stroke="#ddd"/>'
                f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{_short(tick)}'
                "</text>"
            )
        marks = [(tick, _short(tick)) for tick in self.x_ticks]
        # Names that would stand in each other are left out, not the bars.
        step = max(1, math.ceil(len(names) * 56 / (self.width - LEFT - RIGHT)))
        marks += [(float(at), names[at]) for at in range(0, len(names), step)]
        for tick, text in marks:
            x = self.x(tick)
            parts.append(
                f'<path d="M{x} {low}v4" stroke="#333"/>'
                f'<text x="{x}" y="{low + 17}" text-anchor="middle">'
                f"{_escaped(text[:24])}</text>"
            )
        parts.append(
            f'<path d="M{LEFT} {TOP}V{low}H{right}" fill="none" stroke="#333"/>'
        )
        return parts

    def marks(self, series: _Series, colour: str, place: tuple[int, int]) -> list[str]:
        """One series. `place`: of how many series of bars this is which."""
        if series.kind == "line":
            way, pen = [], "M"
            for x, y in series.points:
                if math.isfinite(x) and math.isfinite(y):
                    way.append(f"{pen}{self.x(x)} {self.y(y)}")
                    pen = "L"
                else:
                    pen = "M"
            return [
                f'<path d="{"".join(way)}" fill="none" stroke="{colour}" '
                'stroke-width="2"/>'
            ]
        if series.kind == "scatter":
            return [
                f'<circle cx="{self.x(x)}" cy="{self.y(y)}" r="3" fill="{colour}"/>'
                for x, y in series.points
                if math.isfinite(x) and math.isfinite(y)
            ]
        if series.kind == "histogram":
            return [
                self._box(left, right, value, colour, "0.6")
                for (left, value), (right, _) in zip(
                    series.points, series.points[1:], strict=False
                )
            ]
        which, count = place
        each = 0.8 / max(1, count)
        return [
            self._box(x - 0.4 + which * each, x - 0.4 + (which + 1) * each, y, colour)
            for x, y in series.points
            if math.isfinite(y)
        ]

    def _box(
        self, left: float, right: float, value: float, colour: str, opacity: str = "1"
    ) -> str:
        """A bar between zero and a value."""
        high, low = sorted((self.y(value), self.y(0.0)))
        width = round(max(0.5, self.x(right) - self.x(left) - 1), 2)
        return (
            f'<rect x="{self.x(left)}" y="{high}" width="{width}" '
            f'height="{round(low - high, 2)}" fill="{colour}" '
            f'fill-opacity="{opacity}"/>'
        )


def _pairs(
    xs: Iterable[float], ys: Iterable[float] | None
) -> list[tuple[float, float]]:
    first = [float(value) for value in xs]
    if ys is None:
        return [(float(at), value) for at, value in enumerate(first)]
    second = [float(value) for value in ys]
    if len(first) != len(second):
        message = f"{len(first)} values of x and {len(second)} of y"
        raise ValueError(message)
    return list(zip(first, second, strict=True))


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) that cover a range.

    Args:
        low: The smallest value.
        high: The largest value.
        most: About how many there may be.
    """
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        pad = abs(low) / 2 or 0.5
        low, high = low - pad, high + pad
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (1, 2, 5, 10) if step * power >= rough) * power
    first = math.floor(low / step)
    last = math.ceil(high / step)
    return [at * step for at in range(first, last + 1)]


def _short(value: float) -> str:
    """A number of an axis, without the noise of binary fractions."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}", 1) if value else "0"


def _escaped(text: str) -> str:
    """Text between tags; control characters are no XML at all."""
    plain = "".join(sign for sign in text if sign >= " " or sign == "\t")
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _titles(texts: tuple[str, str, str], size: tuple[int, int]) -> list[str]:
    """The title and what the axes show."""
    (title, x, y), (width, height) = texts, size
    middle = (TOP + height - BOTTOM) / 2
    places = (
        (title, f'x="{width / 2}" y="22" font-size="15"'),
        (x, f'x="{(LEFT + width - RIGHT) / 2}" y="{height - 10}"'),
        (y, f'transform="translate(14 {middle}) rotate(-90)"'),
    )
    return [
        f'<text text-anchor="middle" {place}>{_escaped(text)}</text>'
        for text, place in places
        if text
    ]


def _legend(series: Sequence[_Series], width: int) -> list[str]:
    """A coloured square and a word per series that has a label."""
    parts: list[str] = []
    for number, one in enumerate(series):
        if one.label:
            y, colour = TOP + 6 + 17 * len(parts), COLOURS[number % len(COLOURS)]
            x = width - RIGHT - 8
            parts.append(
                f'<rect x="{x - 10}" y="{y}" width="10" height="10" fill="{colour}"/>'
                f'<text x="{x - 15}" y="{y + 9}" text-anchor="end">'
                f"{_escaped(one.label[:40])}</text>"
            )
    return parts
