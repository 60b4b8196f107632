# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # What does consistency cost, and what does it buy?
#
# `data/sweeps/gossip-cost.toml`: 100 servers, 8 nodes, 80 % load, `two_choices`. A server reports every
# 10, 30 or 100 ms (one, three or ten mean service times), either to all nodes, or to one random node,
# from where gossip carries it on: every 10, 30 or 100 ms, to 1, 2 or 4 peers, pushed, pulled or both; or
# not at all.
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("gossip-cost")
points = charts.points(folder).with_columns(
    heartbeat=pl.col("heartbeat.interval"),
    way=pl.when(pl.col("heartbeat.fanout") == "all")
    .then(pl.lit("all nodes"))
    .when(pl.col("gossip.interval") == "1000h")
    .then(pl.lit("one node, no gossip"))
    .otherwise(pl.lit("one node, gossip")),
)
blind = points.filter(pl.col("policy") == "random")
views = points.filter(pl.col("policy") == "two_choices")
beats = views["heartbeat"].unique(maintain_order=True).to_list()
ways = ["all nodes", "one node, no gossip", "one node, gossip"]
# From dark to light, so that they can be told apart in grey.
shades = alt.Scale(domain=beats, range=["#0b2d52", "#3f8fc9", "#eda13a"])
right = alt.Legend(orient="right", symbolOpacity=1)
print(f"{len(views)} ways to share, {views['replications'].min()} replications each")


# %%
def against(x, metric, title, extra=()):
    """A mark a way of sharing: filled by heartbeat, shaped by way, with its 95 % interval."""
    base = alt.Chart(views).encode(
        x=x,
        color=alt.Color("heartbeat:N", scale=shades, title="heartbeat every", legend=right),
    )
    bars = base.mark_rule(strokeWidth=1.2).encode(
        y=alt.Y(f"{metric}_ci_low:Q", title=title, scale=alt.Scale(zero=False, nice=False, padding=8)),
        y2=f"{metric}_ci_high:Q",
    )
    marks = base.mark_point(filled=True, size=75, opacity=0.9).encode(
        y=alt.Y(f"{metric}:Q", title=title),
        shape=alt.Shape("way:N", scale=charts.scale_of("shape", ways), title="it goes to", legend=right),
    )
    return alt.layer(bars, marks, *extra).properties(width=520, height=260)


bytes_axis = alt.X(
    "control_bytes_per_s:Q",
    title="control traffic of the whole fleet [bytes/s]",
    scale=charts.log_scale(views["control_bytes_per_s"]),
    axis=alt.Axis(format="~s", values=[1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7]),
)
blindly = (
    alt.Chart(blind)
    .mark_rule(strokeDash=[4, 3], color="#333")
    .encode(y=alt.Y("latency_ms_p99:Q", title="p99 [ms]"))
)
label = blindly.mark_text(align="right", dy=-7, text="random: no view at all").encode(x=alt.value(515))

# %% [markdown]
# ## What it buys
#
# Bars are 95 % intervals. With a report every service time, more bytes buy a lower p99. With one
# every ten service times they buy a *higher* one: gossip then makes all nodes hold the same old
# news, and they rush to the same servers; all but the most sparing is worse than no view at all. The cheapest way of all, one
# report to one node and no gossip, has views ten times as old and a lower p99 than any gossip at that
# heartbeat, because each node is wrong in its own way.

# %%
against(bytes_axis, "latency_ms_p99", "p99 [ms]", (blindly, label))

# %%
if is_sample:
    by = {
        (r["heartbeat.interval"], r["way"], r["gossip.interval"], r["gossip.mode"], r["gossip.fanout"]): r
        for r in views.iter_rows(named=True)
    }
    random_p99, random_high = blind["latency_ms_p99"].item(), blind["latency_ms_p99_ci_high"].item()

    def of(beat, way):
        return views.filter((pl.col("heartbeat.interval") == beat) & (pl.col("way") == way))

    fresh = by["10ms", "one node, gossip", "10ms", "push_pull", 4]
    bare = of("10ms", "one node, no gossip")
    assert fresh["latency_ms_p99_ci_high"] < bare["latency_ms_p99_ci_low"].item()
    assert of("10ms", "all nodes")["latency_ms_p99_ci_high"].item() < fresh["latency_ms_p99_ci_low"]
    old = of("100ms", "one node, gossip")
    assert old["latency_ms_p99"].min() > of("100ms", "one node, no gossip")["latency_ms_p99"].item() + 5
    assert (old["latency_ms_p99"] > random_p99).sum() >= len(old) - 1
    assert (old["latency_ms_p99_ci_low"] > random_high).mean() > 0.75
    assert of("100ms", "all nodes")["latency_ms_p99_ci_low"].item() > random_high

# %% [markdown]
# ## Error and cost
#
# The error of a view is the distance between the load a node estimates for a server and the true one.
# Where news are fresh it falls with the bytes; where they are old it does not.

# %%
against(bytes_axis, "view_error_mean", "error of the view [requests]")

# %% [markdown]
# ## It is the error that counts, not the age and not the bytes
#
# All ways of sharing lie along one line when the p99 is drawn over the error of the view. Over
# the age of the view they do not: older may well be better.

# %%
error_axis = alt.X(
    "view_error_mean:Q", title="error of the view [requests]", scale=alt.Scale(zero=False, padding=8)
)
age_axis = alt.X(
    "view_age_ms_p50:Q",
    title="median age of the view [ms]",
    scale=charts.log_scale(views["view_age_ms_p50"]),
    axis=alt.Axis(values=[5, 10, 20, 50, 100, 200, 500], format="d"),
)
alt.vconcat(
    against(error_axis, "latency_ms_p99", "p99 [ms]").properties(height=200),
    against(age_axis, "latency_ms_p99", "p99 [ms]").properties(height=200),
)

# %%
ranks = views.select(pl.col("latency_ms_p99", "view_error_mean", "view_age_ms_p50").rank())
with_error = ranks.select(pl.corr("latency_ms_p99", "view_error_mean")).item()
with_age = ranks.select(pl.corr("latency_ms_p99", "view_age_ms_p50")).item()
print(f"rank correlation of the p99 with the error {with_error:.3f}, with the age {with_age:.3f}")
if is_sample:
    assert with_error > 0.98
    assert with_age < 0.85

# %% [markdown]
# ## What is worth its bytes
#
# The ways of which none cheaper has a lower p99. In this fleet gossip is hardly among them: reports
# straight to the nodes are fresher for the same bytes. (It has other merits: a server need not know
# all nodes, and packets are fewer.)

# %%
front = (
    views.sort("control_bytes_per_s")
    .filter(pl.col("latency_ms_p99") < pl.col("latency_ms_p99").cum_min().shift(1).fill_null(float("inf")))
    .select(
        "heartbeat",
        "way",
        pl.when(pl.col("way") == "one node, gossip").then("gossip.interval").alias("gossip every"),
        (pl.col("control_bytes_per_s") / 1e6).round(2).alias("MB/s"),
        (pl.col("control_messages_per_s") / 1e3).round(1).alias("packets/s [thousands]"),
        pl.col("latency_ms_p99").round(1).alias("p99 [ms]"),
    )
)
front

# %%
if is_sample:
    assert front["way"][0] == "one node, no gossip" and front["way"][-1] == "all nodes"
    assert (front["way"] == "one node, gossip").sum() <= 4
