# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # Is a small fleet a fair model of a large one?
#
# `data/sweeps/scale.toml`: fleets of 10 to 10 000 servers of two generations at 70 % load, behind 4 and
# behind 16 nodes, a heartbeat of each server to each node every 20 ms.
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("scale")
points = charts.points(folder).with_columns(servers=pl.col("servers.0.count") + pl.col("servers.1.count"))
x = alt.X(
    "servers:Q",
    title="servers",
    scale=charts.log_scale(points["servers"]),
    axis=alt.Axis(values=sorted(points["servers"].unique()), format="~s"),
)


def against_size(nodes):
    chosen = points.filter(pl.col("nodes.count") == nodes)
    scale = alt.Scale(type="log", domain=[45, 210], nice=False)
    chart = charts.curves(chosen, x, "latency_ms_p99", title="p99 [ms]", scale=scale)
    return chart.properties(width=285, height=260, title=f"{nodes} nodes")


alt.hconcat(*(against_size(nodes) for nodes in sorted(points["nodes.count"].unique())))

# %% [markdown]
# * From 100 servers on the p99 hardly depends on the number of servers, whatever the policy. A fleet of a
#   hundred is a fair model of one of ten thousand *with the same number of nodes*.
# * The number of nodes is what must not be scaled down: with 16 instead of 4 each knows of a smaller
#   part of the traffic, and the p99 of `lowest_latency` is nearly three times as high.

# %%
if is_sample:
    p99 = {
        (r["series"], r["nodes.count"], r["servers"]): r["latency_ms_p99"]
        for r in points.iter_rows(named=True)
    }
    for nodes in (4, 16):
        for policy in ("lowest_latency", "two_choices", "round_robin", "random"):
            small, large = p99[policy, nodes, 100], p99[policy, nodes, 10_000]
            assert abs(small / large - 1) < 0.06, (policy, nodes, small, large)
    assert p99["lowest_latency", 16, 10_000] > 2.5 * p99["lowest_latency", 4, 10_000]
    assert p99["two_choices", 16, 10_000] < 1.05 * p99["two_choices", 4, 10_000]

# %% [markdown]
# ## What the heartbeats cost
#
# Bytes grow as servers x nodes, the work that they tell of only as servers: with 16 nodes a server spends
# 58 kB/s on its own reports, however large the fleet is, and the fleet of 10 000 half a gigabyte a second.

# %%
bytes = (
    points.filter(pl.col("policy") == "two_choices")
    .with_columns(series=pl.format("{} nodes", "nodes.count"))
    .drop("control_bytes_per_s_ci_low", "control_bytes_per_s_ci_high")
)
charts.curves(
    bytes,
    x,
    "control_bytes_per_s",
    title="control traffic [bytes/s]",
    scale=charts.log_scale(bytes["control_bytes_per_s"]),
    axis=alt.Axis(format="~s"),
).properties(width=620, height=220)

# %%
if is_sample:
    a_pair = pl.col("control_bytes_per_s") / pl.col("servers") / pl.col("nodes.count")
    # 50 reports a second of 72 bytes.
    assert (bytes.select((a_pair / 3600 - 1).abs().max()).item()) < 0.001
    assert bytes["control_bytes_per_s"].max() > 5e8
