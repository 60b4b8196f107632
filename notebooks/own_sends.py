# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # How many load balancers before counting one's own requests stops helping?
#
# Between two heartbeats a node can correct what a server reported by what it has sent there itself
# since. With one node that is everything; with N nodes it is one Nth of the traffic.
# `data/sweeps/nodes.toml` raises the number of nodes at the same total load: 20 servers of 8 slots, 70 %
# load, a heartbeat every two service times.
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("nodes")
points = charts.points(folder)
x = alt.X(
    "nodes\\.count:Q",
    title="load-balancer nodes",
    scale=charts.log_scale(points["nodes.count"]),
    axis=alt.Axis(values=sorted(points["nodes.count"].unique()), format="d"),
)


def against_nodes(kind, metric, title, unit, scale=None):
    chosen = points.filter(pl.col("policy").str.starts_with(kind) | (pl.col("policy") == "random"))
    scale = scale or charts.log_scale(chosen[metric])
    chart = charts.curves(chosen, x, metric, title=unit, scale=scale)
    return chart.properties(width=620, height=230, title=title)


# %% [markdown]
# ## `lowest_latency`: a matter of survival
#
# One node that counts its own requests is as good as can be. Two nodes still match drawing blindly;
# from four on each node is blind to so much of the traffic that the correction no longer keeps the herd
# together. At 64 nodes next to nothing of it is left.

# %%
against_nodes("lowest_latency", "latency_ms_p99", "99th percentile of latency, lowest_latency", "ms")

# %%
if is_sample:

    def value(series, nodes, metric="latency_ms_p99"):
        rows = points.filter((pl.col("series") == series) & (pl.col("nodes.count") == nodes))
        assert len(rows) == 1, (series, nodes)
        return rows[metric][0]

    off, on = "lowest_latency, own_sends = false", "lowest_latency, own_sends = true"
    assert value(on, 1) < value("random", 1)
    assert abs(value(on, 2) / value("random", 2) - 1) < 0.03
    assert value(on, 4, "latency_ms_p99_ci_low") > value("random", 4, "latency_ms_p99_ci_high")
    assert value(on, 8) > 1.6 * value("random", 8)
    assert value(on, 64) > 0.9 * value(off, 64)
    without = [value(off, n) for n in (1, 2, 4, 8, 16, 32, 64)]
    assert max(without) < 1.05 * min(without)

# %% [markdown]
# ## `two_choices`: a matter of degree
#
# Drawing two servers at random keeps any herd small, so here the correction decides about milliseconds.
# `combined` (reported, plus own requests since) fades to `reported` at about 16 nodes. `own`, the node's
# own requests and nothing else, fades too, but has the lowest mean of the three from two nodes on: at two
# service times between heartbeats, reports do more harm than good.

# %%
against_nodes(
    "two_choices",
    "latency_ms_p99",
    "99th percentile of latency, two_choices",
    "ms",
    alt.Scale(zero=False, nice=False, padding=6),
)

# %%
if is_sample:
    reported, combined, own = (f"two_choices, signal = {s}" for s in ("reported", "combined", "own"))
    gain = {n: value(reported, n) - value(combined, n) for n in (1, 2, 4, 8, 16, 32, 64)}
    assert gain[1] > 1.5 and gain[16] < 0.2 * gain[1]
    for nodes in (2, 4, 8, 16, 32, 64):
        assert value(own, nodes, "latency_ms_mean") < value(combined, nodes, "latency_ms_mean")
        assert value(own, nodes, "latency_ms_mean") < value(reported, nodes, "latency_ms_mean")

# %% [markdown]
# ## Why: what a node believes
#
# `view_error_mean` is the distance between the load that a node estimates for a server and the true one,
# in requests, of the 8 that fit.

# %%
ERROR = alt.Scale(domain=[0, 11], nice=False)
alt.vconcat(
    against_nodes("lowest_latency", "view_error_mean", "Error of the view, lowest_latency", "requests", ERROR),
    against_nodes(
        "two_choices",
        "view_error_mean",
        "Error of the view, two_choices",
        "requests",
        alt.Scale(domain=[0, 4], nice=False),
    ),
).resolve_scale(color="independent", strokeDash="independent", shape="independent")

# %%
if is_sample:
    assert value(on, 1, "view_error_mean") < 1 < 7 < value(on, 8, "view_error_mean")
    assert value(combined, 1, "view_error_mean") < 1 < 3 < value(combined, 16, "view_error_mean")
    assert value(own, 64, "view_error_mean") < 2.5
