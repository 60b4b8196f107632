# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # What does a sweep tell me?
#
# `lbsim sweep FILE --out DIR` runs every combination of the axes in FILE and leaves three tables:
# `points.csv` (a row a point: means and 95 % intervals), `paired.csv` (each point against the
# baseline on the same requests) and `runs.csv` (a row a run). This notebook reads the first two.
#
# The sample is `data/sweeps/quickstart.toml`: which policy, and how often must servers report, for a
# fleet of two generations? 80 servers, 20 that are a quarter slower, 4 load balancers, 70 % load.
#
# To read a sweep of your own, set the environment variable `LBSIM_SWEEP` to its folder, as a full
# path. The longest axis of numbers or times becomes the horizontal one, policies are curves, and each
# combination of the other axes has a panel; what is asserted about the sample is left out.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("quickstart")
points = charts.points(folder)
paired = pl.read_csv(folder / "paired.csv", infer_schema_length=None) if (folder / "paired.csv").exists() else None

keys = points.columns[1 : points.columns.index("name")]
axes = [key for key in keys if key != "policy" and points[key].n_unique() > 1]
metrics = [m.removesuffix("_ci_low") for m in points.columns if m.endswith("_ci_low")]
METRIC = "latency_ms_p99" if "latency_ms_p99" in metrics else metrics[0]
print(f"{points['name'][0]}: {len(points)} points, {points['replications'].min()} replications at least")
print("axes:", ", ".join(axes) or "none but the policy")

# %% [markdown]
# ## Is there anything not to be trusted?
#
# A run that failed is missing from its point's mean, and where a verdict is not *stable* queues grew
# without end: there the figure depends on how long one looked.

# %%
points.group_by("verdict").agg(points=pl.len(), failed_runs=pl.col("replications_failed").sum()).sort("verdict")

# %%
if is_sample:
    assert points["replications_failed"].sum() == 0
    assert (points["success_rate"] > 0.9999).all()

# %% [markdown]
# ## The picture
#
# Means with a band for the 95 % interval over replications. Where bands are not to be seen they are
# narrower than the line.


# %%
def as_number(key):
    """The key as a number (times in ms) with its unit, or None if it is neither."""
    text = points[key].cast(pl.String)
    if text.str.contains(r"^[\d.]+(ns|us|ms|s|min|h)$").all():
        return charts.in_ms(key), "ms"
    if text.str.contains(r"^[\d.]+$").all():
        return pl.col(key).cast(pl.String).cast(pl.Float64), ""
    return None


def independent(keys):
    """The keys without those that move along with an earlier one (a [[zip]])."""
    kept = []
    for key in keys:
        if all(points.group_by(other).agg(pl.col(key).n_unique())[key].max() > 1 for other in kept):
            kept.append(key)
    return kept


def picture(metric, unit):
    """One panel for each combination of the axes but one, which is the horizontal one."""
    own = independent(axes)
    numbers = [key for key in own if as_number(key)]
    if not numbers:
        return alt.Chart(points).mark_point(filled=True).encode(
            x=alt.X(f"{metric}:Q", title=f"{metric} {unit}"), y=alt.Y("series:N", title=None)
        )
    across = max(numbers, key=lambda key: points[key].n_unique())
    number, of = as_number(across)
    others = [key for key in own if key != across]
    data = points.with_columns(x=number)
    log = data["x"].min() > 0 and data["x"].max() / data["x"].min() >= 8
    x = alt.X(
        "x:Q",
        title=f"{across} [{of}]" if of else across,
        scale=charts.log_scale(data["x"]) if log else alt.Scale(nice=False, padding=8),
        axis=alt.Axis(values=sorted(data["x"].unique()), format="~g", labelOverlap=True),
    )
    bounds = [data[f"{metric}_ci_{end}"] for end in ("low", "high")]
    steep = data[metric].min() > 0 and data[metric].max() / data[metric].min() > 4
    scale = charts.log_scale(data[metric], *bounds) if steep else alt.Scale(zero=False)
    order = data["series"].unique(maintain_order=True).to_list()

    def panel(rows, width, height, **title):
        chart = charts.curves(rows, x, metric, order, title=f"{metric} {unit}", scale=scale)
        return chart.properties(width=width, height=height, **title)

    if not others:
        return panel(data, 600, 300)
    panels = data.partition_by(others, maintain_order=True)
    if len(panels) > 12:
        print(f"{len(panels)} panels; these are the first 12")
    titles = [", ".join(f"{key} = {rows[key][0]}" for key in others) for rows in panels[:12]]
    parts = [panel(rows, 285, 200, title=title) for rows, title in zip(panels, titles)]
    return alt.concat(*parts, columns=2)


picture(METRIC, "[ms]" if "_ms_" in METRIC else "")

# %%
if is_sample:
    # The figure of the README.
    figure = picture("latency_ms_p99", "[ms]").properties(
        title="99th percentile of latency against the heartbeat interval", width=620, height=280
    )
    figure.save("../docs/figures/quickstart.svg")

# %% [markdown]
# ## Who wins where, and how sure is that?
#
# For each place on the other axes the best policy and the second; then the difference of each point to
# its baseline, replication by replication (`lbsim compare DIR` says the same in words). All policies of
# a replication were sent the very same requests.

# %%
ranked = points.sort(METRIC).group_by(axes, maintain_order=True).agg(
    winner=pl.col("series").first(),
    best=pl.col(METRIC).first(),
    second=pl.col("series").slice(1, 1).first(),
    second_best=pl.col(METRIC).slice(1, 1).first(),
    first_point=pl.col("point").min(),
)
ranked = ranked.sort("first_point").drop("first_point")
ranked

# %%
if paired is not None:
    spread = ["_diff", "_diff_ci_low", "_diff_ci_high", "_variance_reduction"]
    shown = paired.select(*axes, "policy", *(f"{METRIC}{part}" for part in spread))
    pl.Config.set_tbl_rows(40)
    display(shown)

# %% [markdown]
# `variance_reduction` says how many times more replications it would have taken to get the same interval
# had the two sides not been sent the same requests; at 1 that did not help. The sample's answers, each
# asserted below:
#
# * Up to a report every 100 ms, `two_choices` has the lowest p99; from 200 ms on it is `round_robin`,
#   which looks at no report.
# * `lowest_latency`, which sends to whoever looks fastest, is never first, and from 200 ms on it is worse
#   than drawing servers blindly.
# * Old news is what hurts: up to 10 ms `lowest_latency` beats both policies that look at nothing.

# %%
if is_sample:
    ms = charts.in_ms("heartbeat.interval")
    wins = ranked.with_columns(ms=ms)
    assert (wins.filter(pl.col("ms") <= 100)["winner"] == "two_choices").all()
    assert (wins.filter(pl.col("ms") >= 200)["winner"] == "round_robin").all()
    table = {(r["policy"], r["ms"]): r for r in points.with_columns(ms=ms).iter_rows(named=True)}
    for interval in (2, 5, 10, 20, 50):
        two, robin = table["two_choices", interval], table["round_robin", interval]
        assert two["latency_ms_p99_ci_high"] < robin["latency_ms_p99_ci_low"]
    for interval in (200, 500):
        two, robin = table["two_choices", interval], table["round_robin", interval]
        assert two["latency_ms_p99_ci_low"] > robin["latency_ms_p99_ci_high"]
    lowest = paired.with_columns(ms=ms).filter(pl.col("policy") == "lowest_latency")
    assert (lowest.filter(pl.col("ms") <= 10)["latency_ms_p99_diff_ci_high"] < 0).all()
    for interval in (200, 500):
        low, blind = table["lowest_latency", interval], table["random", interval]
        assert low["latency_ms_p99_ci_low"] > blind["latency_ms_p99_ci_high"]
    two = paired.with_columns(ms=ms).filter((pl.col("policy") == "two_choices") & (pl.col("ms") <= 50))
    assert (two["latency_ms_p99_diff_ci_high"] < 0).all() and len(two) == 5
