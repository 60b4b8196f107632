"""What the figures of the notebooks have in common: their look, and the reading of sweeps.

Series differ by colour, dash and shape, so that a figure reads in grey too; bands are 95 % confidence
intervals of the mean over replications.
"""

import os
from pathlib import Path

import altair as alt
import polars as pl

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#A0528A", "#B8860B", "#333333"]
DASHES = [[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [14, 4], [4, 1]]
SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"]
UNITS_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6}


@alt.theme.register("lbsim", enable=True)
def look():
    grid = {"gridColor": "#e4e4e4", "domainColor": "#888", "tickColor": "#888"}
    font = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
    return alt.theme.ThemeConfig(
        config={
            "axis": grid | font,
            "legend": font | {"orient": "top", "labelLimit": 260, "symbolStrokeWidth": 0, "symbolSize": 70},
            "title": {"fontSize": 13, "anchor": "start", "fontWeight": 600},
            "view": {"stroke": "#ccc"},
            "background": "white",
            # Fonts of some readers are wider than those the labels were measured with.
            "padding": {"left": 8, "right": 20, "top": 6, "bottom": 6},
        }
    )


alt.renderers.enable("svg")


def folder(sample, variable="LBSIM_SWEEP"):
    """The folder to read, and whether it is the committed sample.

    `variable` names the environment variable that takes the place of the sample.
    """
    committed = Path("../data/samples") / sample
    chosen = Path(os.environ.get(variable, committed))
    return chosen, chosen == committed


def points(of):
    """The points of a sweep: a row each, with a column `series` that says which policy it is."""
    table = pl.read_csv(of / "points.csv", infer_schema_length=None)
    return table.with_columns(series=series(table))


def series(table):
    """The policy of a row, with what distinguishes it from others of its kind in the table."""
    names = []
    rows = list(table.select("policy_params", kind=pl.col("policy").str.replace(r"-\d+$", "")).iter_rows())
    seen = {}
    for params, kind in rows:
        seen.setdefault(kind, []).append(set(params.split(";")))
    for params, kind in rows:
        common = set.intersection(*seen[kind])
        own = [part for part in params.split(";") if part not in common]
        names.append(", ".join([kind, *(part.replace("=", " = ") for part in own)]))
    return pl.Series("series", names, dtype=pl.String)


def in_ms(column):
    """The milliseconds of a column of durations such as `20ms`."""
    text = pl.col(column).cast(pl.String)
    number = text.str.extract(r"^([\d.]+)").cast(pl.Float64)
    return number * text.str.extract(r"([a-z]+)$").replace_strict(UNITS_MS, return_dtype=pl.Float64)


def scale_of(kind, order):
    """The scale of a channel for these series, always in the same order."""
    values = {"color": COLOURS, "strokeDash": DASHES, "shape": SHAPES}[kind]
    return alt.Scale(domain=order, range=values[: len(order)])


def log_scale(*columns):
    """A logarithmic scale that ends a little beyond the values of these columns."""
    values = pl.concat([column.drop_nulls() for column in columns])
    return alt.Scale(type="log", domain=[values.min() / 1.08, values.max() * 1.08], nice=False)


def curves(data, x, metric, order=None, **y):
    """A line, points and the band of the interval of `metric` for each `series`.

    `x` is an axis of altair, `y` what the vertical one is to have; `order` is that of the legend.
    """
    order = order or data["series"].unique(maintain_order=True).to_list()
    base = alt.Chart(data).encode(x=x)

    def channel(kind):
        make = {"color": alt.Color, "strokeDash": alt.StrokeDash, "shape": alt.Shape}[kind]
        # Shapes with a dashed edge would be hard to tell apart.
        columns = 4 if max(map(len, order)) < 16 else 3
        plain = alt.Legend(columns=columns, symbolOpacity=1, columnPadding=36)
        legend = None if kind == "strokeDash" else plain
        return {kind: make("series:N", scale=scale_of(kind, order), title=None, legend=legend)}

    upright = alt.Y(f"{metric}:Q", **y)
    line = base.mark_line(strokeWidth=1.8, clip=True).encode(
        y=upright, **channel("color"), **channel("strokeDash")
    )
    dots = base.mark_point(filled=True, size=45, opacity=1, clip=True).encode(
        y=upright, **channel("color"), **channel("shape")
    )
    if f"{metric}_ci_low" not in data.columns:
        return line + dots
    band = base.mark_area(opacity=0.25, clip=True).encode(
        y=alt.Y(f"{metric}_ci_low:Q", **y),
        y2=alt.Y2(f"{metric}_ci_high:Q"),
        detail="series:N",
        **channel("color"),
    )
    return band + line + dots
