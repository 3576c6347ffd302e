"""Charts are well-formed SVG whose marks stand where the numbers say."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from agi_agent import plot
from agi_agent.plot import Figure, _short, _ticks

NAME = "{http://www.w3.org/2000/svg}"


def marks(figure, kind):
    """The elements of a kind, without the background."""
    root = ElementTree.fromstring(figure.svg())
    return [mark for mark in root.iter(NAME + kind) if mark.get("fill") != "#fff"]


def words(figure):
    return [mark.text for mark in marks(figure, "text")]


def test_a_line_goes_through_its_points_and_breaks_at_what_is_no_number():
    figure = Figure().line([0, 1, 2, 3, 4], [0, 1, float("nan"), 1, 0])
    path = next(p.get("d") for p in marks(figure, "path") if p.get("stroke-width"))
    assert path.count("M") == 2
    assert path.count("L") == 2
    ends = [float(pair.split()[1]) for pair in path.replace("L", "M").split("M")[1:]]
    assert ends[0] == ends[-1] > ends[1], "zero lies below one"


def test_points_are_circles_in_order():
    circles = marks(Figure().scatter([1, 2, 3], [1, 4, 9]), "circle")
    xs = [float(circle.get("cx")) for circle in circles]
    ys = [float(circle.get("cy")) for circle in circles]
    assert len(xs) == 3
    assert xs == sorted(xs)
    assert ys == sorted(ys, reverse=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.02)


def test_bars_begin_at_zero_and_stand_side_by_side():
    figure = Figure().bar(["a", "b"], [2, -1], label="l").bar(["a", "b"], [1, 4])
    bars = [mark for mark in marks(figure, "rect") if float(mark.get("width")) > 10]
    heights = [float(bar.get("height")) for bar in bars]
    assert len(bars) == 4
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.05)
    assert heights[3] == pytest.approx(4 * heights[2], abs=0.05)
    assert float(bars[2].get("x")) > float(bars[0].get("x"))
    assert {"a", "b", "l"} <= set(words(figure))
    with pytest.raises(ValueError, match="same names"):
        figure.bar(["a", "c"], [1, 2])


def test_a_histogram_counts_every_finite_value_once():
    values = [0, 0, 1, 5, 9.99, 10, float("inf"), float("nan")]
    figure = Figure().histogram(values, bins=5)
    boxes = [mark for mark in marks(figure, "rect") if mark.get("fill-opacity")]
    heights = [float(box.get("height")) for box in boxes]
    unit = heights[0] / 3
    assert [round(height / unit) for height in heights] == [3, 0, 1, 0, 2]
    for wrong, bins in (([], 3), ([float("nan")], 3), ([1], 0)):
        with pytest.raises(ValueError, match="histogram"):
            Figure().histogram(wrong, bins)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 1), (-3, 7), (5, 5), (0, 0), (1e-9, 3e-9), (-1e12, 1e12), (99.5, 100.5)],
)
def test_ticks_are_round_few_and_cover_the_range(low, high):
    ticks = _ticks(low, high, 6)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 2 <= len(ticks) <= 10
    assert len({_short(tick) for tick in ticks}) == len(ticks)


def test_text_cannot_break_out_of_its_element():
    evil = '<script>&"\x00\x1b]]>'
    figure = Figure(evil, x=evil, y=evil).line([1, 2], label=evil)
    figure.bar([evil], [1])
    root = ElementTree.fromstring(figure.svg())
    assert not list(root.iter(NAME + "script"))
    assert sum('<script>&"' in (text or "") for text in words(figure)) >= 4


def test_nothing_to_draw_and_too_much_are_errors():
    with pytest.raises(ValueError, match="nothing to draw"):
        Figure().svg()
    with pytest.raises(ValueError, match="nothing to draw"):
        Figure().line([float("nan")]).svg()
    with pytest.raises(ValueError, match="1 values of x and 2 of y"):
        Figure().line([1], [1, 2])
    with pytest.raises(ValueError, match="at most"):
        Figure().scatter(range(plot.MOST_POINTS + 1))


def test_one_point_and_huge_numbers_can_be_drawn():
    for values in ([5], [1e300, -1e300], [1e-300, 2e-300], [0, 0, 0]):
        assert "nan" not in Figure().line(values).scatter(values).svg()


def test_show_numbers_its_files_where_it_is_told_to(tmp_path, monkeypatch):
    monkeypatch.setenv(plot.PLACE, str(tmp_path))
    figure = Figure("a").line([1, 2])
    assert [figure.show().name, figure.show().name] == ["plot-1.svg", "plot-2.svg"]
    assert (tmp_path / "plot-2.svg").read_text(encoding="utf-8") == figure.svg()


def test_nothing_heavy_is_imported():
    code = "import sys, agi_agent.plot; print('typing' in sys.modules)"
    run = [sys.executable, "-X", "frozen_modules=off", "-S", "-c", code]
    place = plot.__file__.rsplit("/agi_agent/", 1)[0]
    done = subprocess.run(
        run, capture_output=True, text=True, check=True, env={"PYTHONPATH": place}
    )
    assert done.stdout.split()[0] == "False"
