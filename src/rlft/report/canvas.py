"""Drawing surface of the report: axes in the house style, and matplotlib figures as inline SVG. It knows no metric.

Colours are written as CSS variables, so that one drawing reads on a light page, a dark page and on paper. No text but
tick labels is drawn: titles and legends are the page's own, which wraps them on a phone and escapes them.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

# name: (on a light page, on a dark page)
COLOURS = {
    "ink": ("#1f242d", "#e7e9ee"),
    "muted": ("#676e7b", "#9aa2b1"),
    "grid": ("#e1e4ea", "#2e343f"),
    "blue": ("#2c6cb0", "#6cb0f5"),
    "orange": ("#cf6a1f", "#f2a057"),
    "teal": ("#1f8a7d", "#4fcdbb"),
    "violet": ("#7a56b5", "#b598ee"),
    "rose": ("#bd4169", "#f083a6"),
    "gold": ("#a8851a", "#dcbb4c"),
    "slate": ("#566173", "#a5b1c4"),
    "olive": ("#6d8a2b", "#abcb66"),
}
# The order in which several curves of one figure take colours.
CYCLE = ("blue", "orange", "teal", "violet", "rose", "gold", "olive", "slate")
# From the least to the greatest reward; all three are mid-tones, so they read on either background.
REWARD_SCALE = ("#c65d21", "#9a93a3", "#2f7fd0")

_STEPS = [1, 2, 2.5, 5, 10]  # ticks that are round numbers
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "font.size": 11,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
}


def light(name: str) -> str:
    """The colour to draw with; `inline` turns it into the page's variable."""
    return COLOURS[name][0]


def axes(width: int, height: int, *, left: int = 48, top: int = 12) -> tuple[Figure, Axes]:
    """An empty plot of so many CSS pixels: horizontal grid, no frame, few ticks."""
    figure = Figure(figsize=(width / 72, height / 72))
    right, bottom = 12, 24
    box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    ax = figure.add_axes(box)
    ax.set_facecolor("none")
    figure.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(light("muted"))
    ax.spines["bottom"].set_linewidth(0.6)
    ax.tick_params(length=0, pad=5, labelsize=11, labelcolor=light("muted"))
    ax.grid(axis="y", color=light("grid"), linewidth=0.8)
    ax.set_axisbelow(True)
    ax.xaxis.set_major_locator(MaxNLocator(max(3, width // 110), integer=True, steps=_STEPS))
    ax.yaxis.set_major_locator(MaxNLocator(max(3, height // 55), steps=_STEPS))
    for axis in (ax.xaxis, ax.yaxis):
        formatter = ScalarFormatter(useOffset=False, useMathText=False)
        formatter.set_powerlimits((-3, 5))
        axis.set_major_formatter(formatter)
    ax.yaxis.get_offset_text().set(color=light("muted"), size=10)
    ax.margins(x=0.01, y=0.08)
    return figure, ax


def square(size: int, limits: tuple[float, float, float, float]) -> tuple[Figure, Axes]:
    """A map with equal scales: `limits` are x0, x1, y0, y1 in the units of what is drawn; the frame is a thin line."""
    x0, x1, y0, y1 = limits
    tall = round(size * min(2.0, max(0.5, (y1 - y0) / (x1 - x0))))
    figure, ax = axes(size, tall + 20, left=40, top=8)
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    ax.set_aspect("equal", adjustable="box")
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set(visible=True, color=light("muted"), linewidth=0.6)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=_STEPS))
    return figure, ax


def inline(figure: Figure, name: str) -> str:
    """The figure as an `<svg>` element for the page: it scales with its column, without metadata or fonts.

    `name` must be unique on the page, because SVG ids are.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        matplotlib.rcParams["svg.hashsalt"] = name
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>", r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    text = text.replace("xlink:href", "href")
    text = re.sub(r" id=\"[A-Za-z][A-Za-z0-9.]*_\d+\"", "", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r"\n\s*", "\n", text)
    for colour, (drawn, _) in COLOURS.items():
        text = text.replace(drawn, f"var(--{colour})")
    return text


def standalone(figure: Figure, name: str) -> str:
    """The figure as an SVG file of its own, light or dark as its reader's page is."""
    size = figure.get_size_inches() * 72
    variables = ["".join(f"--{colour}:{pair[mode]};" for colour, pair in COLOURS.items()) for mode in (0, 1)]
    style = f"<style>svg{{{variables[0]}}}@media(prefers-color-scheme:dark){{svg{{{variables[1]}}}}}</style>"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]:.0f}" height="{size[1]:.0f}" font-family="sans-serif"'
    )
    return inline(figure, name).replace("<svg", head, 1).replace(">", f">{style}", 1) + "\n"
