# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # How does the simulator's own cost grow with the fleet?
#
# `bench-harness scale` times the engine for fleets of 10 to 1 000 000 servers behind 1 to 1000 nodes: every
# measurement in a process of its own, repeats interleaved, beside the reference engine (one global heap
# of events). This notebook reads the newest recorded pass, `data/<date>-scale/`, whose README says which
# command, commit and machine made it. Bands reach from the least to the largest of the repeats.
#
# `LBSIM_SCALE` names another folder to read, as a full path.

# %%
import os
from pathlib import Path

import altair as alt
import polars as pl

import charts

newest = sorted(folder for folder in Path("../data").glob("*-scale") if (folder / "scale.csv").exists())[-1]
folder = Path(os.environ.get("LBSIM_SCALE", newest))
is_record = folder == newest
table = pl.read_csv(folder / "scale.csv", infer_schema_length=None)
fits = pl.read_csv(folder / "exponents.csv", infer_schema_length=None)
measured = table.filter(pl.col("ns_per_request_median").is_not_null()).with_columns(
    pairs=pl.col("servers") * pl.col("nodes")
)
print(f"{folder.name}: {len(measured)} points measured, {len(table) - len(measured)} skipped")


def bounded(data, quantity, as_name):
    """The median under a new name, the least and the largest of the repeats as its bounds."""
    ends = {"median": "", "low": "_ci_low", "high": "_ci_high"}
    return data.with_columns(pl.col(f"{quantity}_{end}").alias(as_name + to) for end, to in ends.items())


def decades(column, title):
    return alt.X(
        f"{column}:Q",
        title=title,
        scale=charts.log_scale(measured[column]),
        axis=alt.Axis(values=[10.0**power for power in range(1, 10)], format="~s"),
    )


def usual(policy, nodes=None, kernel="fifo", threads=1):
    """The points of one policy, kernel and number of threads, at some number of nodes or all."""
    wanted = (pl.col("policy") == policy) & (pl.col("kernel") == kernel) & (pl.col("threads") == threads)
    rows = measured.filter(wanted if nodes is None else wanted & (pl.col("nodes") == nodes))
    return rows.sort("servers")


# The number of nodes at which most fleet sizes were measured.
NODES = usual("two_choices").group_by("nodes").len().sort("len", "nodes")["nodes"][-1]
servers = decades("servers", "servers")

# %% [markdown]
# ## A request: by policy and kernel
#
# At the number of nodes in the title. `event` completes attempts one by one, as faults of servers need it;
# `fifo` knows at admission when an attempt will finish. Small fleets pay for their ticks, large ones for the
# cache.

# %%
lines = {
    "two_choices": usual("two_choices", NODES),
    "lowest_latency": usual("lowest_latency", NODES),
    "random": usual("random", NODES),
    "two_choices, event kernel": usual("two_choices", NODES, "event"),
    "two_choices, reference": usual("two_choices", NODES)
    .filter(pl.col("reference_ns_per_request_median").is_not_null())
    .with_columns(
        pl.col("reference_ns_per_request_median").alias(f"ns_per_request_{end}") for end in ("median", "low", "high")
    ),
}
by_policy = pl.concat([rows.with_columns(series=pl.lit(name)) for name, rows in lines.items() if len(rows)])
by_policy = bounded(by_policy, "ns_per_request", "ns")
charts.curves(
    by_policy, servers, "ns", title="ns a request", scale=charts.log_scale(by_policy["ns"], by_policy["ns_ci_high"])
).properties(width=620, height=300, title=f"Time of a request, {NODES} nodes, one thread")

# %%
if is_record:
    ns = dict(usual("two_choices", NODES).select("servers", "ns_per_request_median").iter_rows())
    sizes = sorted(ns)
    # A hundred thousand times the servers, and a request costs a few times as much.
    assert ns[sizes[-1]] < 10 * min(ns.values())
    ratio = usual("two_choices", NODES).drop_nulls("ratio_median").select("servers", "ratio_median")
    assert ratio["ratio_median"][-1] > 3 * ratio["ratio_median"][0]

# %% [markdown]
# ## A request: by the number of nodes
#
# `two_choices`. The cost follows what a request brings with it: with many nodes each request comes with
# more reports, and all views together outgrow the cache.

# %%
few = [n for n in (1, 8, 100, 1000) if n in usual("two_choices")["nodes"].to_list()] or [NODES]
by_nodes = bounded(usual("two_choices").filter(pl.col("nodes").is_in(few)).sort("nodes", "servers"), "ns_per_request", "ns")
by_nodes = by_nodes.with_columns(series=pl.format("{} nodes", "nodes"))
charts.curves(
    by_nodes, servers, "ns", title="ns a request", scale=charts.log_scale(by_nodes["ns"], by_nodes["ns_ci_high"])
).properties(width=620, height=260, title="Time of a request, two_choices, one thread")

# %% [markdown]
# ## Against the reference
#
# The ratio of times within one repeat; the reference pushes every event through one heap, so it falls back
# as the fleet grows. Below 1 the reference is the faster: where nodes are several times as many as servers, a
# tick passes by many nodes with nothing to do, and the reference sees only those with something.

# %%
alike = (pl.col("kernel") == "fifo") & (pl.col("threads") == 1) & pl.col("nodes").is_in(few)
ratios = bounded(measured.drop_nulls("ratio_median").filter(alike), "ratio", "times")
ratios = ratios.with_columns(series=pl.format("{}, {} nodes", "policy", "nodes")).sort("policy", "nodes", "servers")
ratios = ratios.filter(pl.len().over("series") > 1)
order = ratios["series"].unique(maintain_order=True).to_list()[: len(charts.COLOURS)]
ratios = ratios.filter(pl.col("series").is_in(order))
charts.curves(
    ratios, servers, "times", title="times as fast", scale=charts.log_scale(ratios["times"], ratios["times_ci_high"])
).properties(width=620, height=260, title="Engine over reference")

# %%
if is_record:
    compared = measured.drop_nulls("ratio_median").filter(pl.col("policy") == "two_choices")
    assert (compared.filter(pl.col("servers") >= pl.col("nodes"))["ratio_median"] > 1).all()
    assert (compared.filter(pl.col("servers") * 10 <= pl.col("nodes"))["ratio_median"] < 1.2).all()

# %% [markdown]
# ## Memory
#
# Peak memory of the process against the beliefs that nodes hold, servers x nodes. Each is a few dozen
# bytes; what is left of them on the left is the process itself.

# %%
memory = measured.filter((pl.col("threads") == 1) & (pl.col("kernel") == "fifo")).with_columns(series="policy")
names = memory["series"].unique(maintain_order=True).to_list()
alt.Chart(memory).mark_point(filled=True, size=55).encode(
    x=decades("pairs", "servers x nodes"),
    y=alt.Y("peak_memory_mb:Q", title="peak memory [MB]", scale=charts.log_scale(memory["peak_memory_mb"])),
    color=alt.Color("series:N", scale=charts.scale_of("color", names), title=None),
    shape=alt.Shape("series:N", scale=charts.scale_of("shape", names), title=None),
).properties(width=620, height=240, title="Memory of a run")

# %% [markdown]
# ## Threads
#
# Time on one thread over that on several, within one repeat. A tick with little work is not split, because
# splitting costs more than it gains. Small fleets run slower with threads than without: one thread goes
# through many such ticks in one go, several meet after each. A sweep therefore gives each run a thread.

# %%
threads = measured.drop_nulls("speedup_median")
threads = threads.with_columns(series=pl.format("{}, {} nodes, {} threads", "policy", "nodes", "threads")).sort("series", "servers")
if len(threads):
    chart = charts.curves(
        threads, servers, "speedup_median", title="times as fast", scale=alt.Scale(zero=False, nice=False, padding=8)
    ).properties(width=620, height=220, title="Gain from threads")
else:
    chart = "no point with more than one thread in this folder"
chart

# %% [markdown]
# ## Exponents
#
# `time = coefficient x size ^ exponent`, fitted to the upper half of each curve: 0 is a cost that does not
# grow, 1 one in proportion.

# %%
shown = fits.filter((pl.col("range") == "upper_half") & (pl.col("threads") == 1) & (pl.col("kernel") == "fifo"))
shown = shown if len(shown) else fits
pl.Config.set_tbl_rows(60)
shown.select("quantity", "axis", "policy", "nodes", "servers", "points", pl.col("exponent", "exponent_standard_error").round(3))

# %%
if is_record:
    half = fits.filter((pl.col("range") == "upper_half") & (pl.col("quantity") == "ns_per_request_median"))
    # Far from one in proportion to the fleet, and from the logarithm of a heap times that.
    assert (half.filter((pl.col("axis") == "servers") & (pl.col("policy") == "two_choices"))["exponent"] < 0.6).all()
