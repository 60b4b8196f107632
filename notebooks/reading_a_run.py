# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # What does one run tell me?
#
# `lbsim run SCENARIO --out DIR` leaves a folder of CSV files. This notebook reads one such folder
# from the outside in: did it work, when was it slow, and who did the work. Every claim in the text
# is asserted in the cell below it.
#
# The sample is the *herd* scenario: 4 load balancers, 20 servers of 8 slots, load 0.7, and a
# heartbeat from each server once a mean service time (10 ms). `lowest_latency` here does not count
# what it has sent since the last heartbeat, so between two heartbeats every load balancer believes
# the same server to be the best.
#
# To read a run of your own, set the environment variable `LBSIM_RUN` to its folder, as a full path.
# The figures then show your run; what is asserted about the sample is left out.

# %%
import json
import os
from pathlib import Path

import altair as alt
import polars as pl

alt.renderers.enable("svg")

SAMPLE = Path("../data/samples/herd")
folder = Path(os.environ.get("LBSIM_RUN", SAMPLE))
is_sample = folder == SAMPLE

manifest = json.loads((folder / "manifest.json").read_text())
runs = pl.read_csv(folder / "runs.csv")
series = pl.read_csv(folder / "timeseries.csv")
servers = pl.read_csv(folder / "servers.csv")
policies = manifest["policies"]
colour = alt.Color("policy:N", sort=policies, scale=alt.Scale(scheme="tableau10"), title=None, legend=alt.Legend(orient="top"))

print(f"{manifest['name']}: {', '.join(policies)}; {manifest['replications']} replications")

# %% [markdown]
# ## Did it work, and is it comparable?
#
# Every request ends in exactly one outcome, so the outcomes must add up to the arrivals. And equal
# replications share their random draws whatever the policy: all policies were sent the very same
# requests, so a difference between two rows of a replication is the policy's doing.

# %%
outcomes = ["ok", "rejected", "refused", "timed_out", "failed", "lost", "in_flight"]
assert (runs.select(pl.sum_horizontal(outcomes)).to_series() == runs["arrived"]).all()
assert (runs.group_by("replication").agg(pl.col("arrived").n_unique())["arrived"] == 1).all()

means = runs.group_by("policy", maintain_order=True).agg(
    pl.col(
        "success_rate",
        "utilisation",
        "latency_ms_mean",
        "latency_ms_p50",
        "latency_ms_p99",
        "herd_index",
        "view_age_ms_p50",
        "view_error_mean",
    ).mean()
)
means

# %% [markdown]
# `utilisation` is the same for all: the work is the same, only its place differs. Yet the median
# request waits several times longer under `lowest_latency`, although nearly a third of all
# slots is free at any time.

# %%
if is_sample:
    by_policy = {row["policy"]: row for row in means.iter_rows(named=True)}
    herd, two = by_policy["lowest_latency"], by_policy["two_choices"]
    assert abs(herd["utilisation"] - two["utilisation"]) < 0.02
    assert herd["utilisation"] < 0.75
    assert herd["latency_ms_p50"] > 3 * two["latency_ms_p50"]
    assert herd["latency_ms_p99"] > 2 * two["latency_ms_p99"]

# %% [markdown]
# ## When was it slow?
#
# Latency over time, replication 0, each line a policy, on a logarithmic scale. The vertical rule is
# the end of the warm-up: whatever is left of it counts in no figure above.


# %%
def over_time(column, title):
    base = alt.Chart(series.filter(pl.col("replication") == 0).select("time_s", "policy", column))
    return (
        base.mark_line(strokeWidth=1.2)
        .encode(
            x=alt.X("time_s:Q", title="time [s]"),
            y=alt.Y(f"{column}:Q", title="ms", scale=alt.Scale(type="log", nice=False)),
            color=colour,
        )
        .properties(width=620, height=170, title=title)
    )


# The window starts where the first counted request does.
counted = runs.filter(pl.col("replication") == 0)["arrived"][0]
one = series.filter((pl.col("replication") == 0) & (pl.col("policy") == policies[0]))
from_the_end = one["arrived"].reverse().cum_sum().reverse()
window_starts = one["time_s"].filter(from_the_end >= counted).max()
rule = (
    alt.Chart(pl.DataFrame({"time_s": [window_starts]}))
    .mark_rule(strokeDash=[4, 3], color="#666")
    .encode(x="time_s:Q")
)
alt.vconcat(
    over_time("latency_ms_mean", "Mean latency of an interval") + rule,
    over_time("latency_ms_p99", "99th percentile of an interval") + rule,
)

# %%
if is_sample:
    # The figure of the README.
    figure = over_time("latency_ms_p99", "99th percentile of latency, herd scenario") + rule
    figure.save("../docs/figures/herd.svg")

# %% [markdown]
# The herd is no phase that passes: after the warm-up, hardly an interval of `lowest_latency` is as
# good as the same interval of `two_choices`.

# %%
if is_sample:
    wide = series.filter(pl.col("time_s") >= window_starts).pivot(
        on="policy", index=["replication", "time_s"], values="latency_ms_mean"
    )
    # Intervals after the last arrival have answered nothing under some policy.
    wide = wide.drop_nulls(["lowest_latency", "two_choices"])
    assert (wide["lowest_latency"] > wide["two_choices"]).mean() > 0.95

# %% [markdown]
# ## Who did the work?
#
# Over the whole run the servers look almost evenly used, because the magnet moves from server to
# server. First, what each server was sent in all. The rule is an equal share.

# %%
share = servers.group_by("policy", "server", maintain_order=True).agg(pl.col("picks_share").mean())
equal = alt.Chart(pl.DataFrame({"share": [1 / servers["server"].n_unique()]}))
alt.layer(
    alt.Chart()
    .mark_bar()
    .encode(
        x=alt.X("server:O", title="server", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        y=alt.Y("picks_share:Q", title="share of picks", axis=alt.Axis(format="%")),
        color=alt.Color(
            "policy:N", sort=policies, scale=alt.Scale(scheme="tableau10"), legend=None
        ),
    ),
    alt.Chart().mark_rule(strokeDash=[4, 3]).encode(y=alt.datum(equal.data["share"][0])),
    data=share,
).properties(width=190, height=150).facet(column=alt.Column("policy:N", sort=policies, title=None))

# %% [markdown]
# The herd shows when one looks at a heartbeat interval at a time: `herd_index` is the share of all
# picks of an interval that went to its most picked server, averaged over the intervals of a run.
# Among 20 servers an equal share is 5 % (the rule); chance alone makes it 9 %. Under
# `lowest_latency` more than half of everything goes to one server out of twenty, heartbeat after
# heartbeat. A dot is a replication.

# %%
alt.layer(
    alt.Chart(runs.select("policy", "herd_index"))
    .mark_point(filled=True, size=70)
    .encode(
        x=alt.X(
            "herd_index:Q",
            title="share of the most picked server",
            axis=alt.Axis(format="%"),
            scale=alt.Scale(domain=[0, 1]),
        ),
        y=alt.Y("policy:N", sort=policies, title=None),
        color=alt.Color(
            "policy:N", sort=policies, scale=alt.Scale(scheme="tableau10"), legend=None
        ),
    ),
    alt.Chart().mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(1 / servers["server"].n_unique())),
).properties(width=560, height=90)

# %% [markdown]
# What that does to the fleet: requests wait in the backlog of the server that looked best, while
# slots stand idle elsewhere. Below, both at the end of every interval of replication 0.

# %%
slots = servers.filter((pl.col("replication") == 0) & (pl.col("policy") == policies[0]))
slots = slots["capacity"].sum()
waste = series.filter(pl.col("replication") == 0).select(
    "policy",
    "time_s",
    pl.col("waiting").alias("waiting requests"),
    (slots - pl.col("active")).alias("idle slots"),
)
(
    alt.Chart(waste.unpivot(index=["policy", "time_s"], variable_name="what", value_name="count"))
    .mark_line(strokeWidth=1.2)
    .encode(
        x=alt.X("time_s:Q", title="time [s]"),
        y=alt.Y("count:Q", title="count"),
        color=alt.Color(
            "what:N", scale=alt.Scale(range=["#1b9e77", "#d95f02"]), title=None
        ),
    )
    .properties(width=190, height=150)
    .facet(column=alt.Column("policy:N", sort=policies, title=None))
)

# %%
if is_sample:
    assert herd["herd_index"] > 0.5
    assert herd["herd_index"] > 4 * two["herd_index"]
    # The magnet moves: no server got more than twice its equal share of the whole run.
    assert share["picks_share"].max() < 2 / 20
    waiting = waste.group_by("policy").agg(pl.col("waiting requests", "idle slots").mean())
    waiting = {row["policy"]: row for row in waiting.iter_rows(named=True)}
    assert waiting["lowest_latency"]["waiting requests"] > 100
    assert waiting["two_choices"]["waiting requests"] < 20
    # Idle slots are what the load leaves over, whoever chooses.
    assert all(30 < row["idle slots"] < 65 for row in waiting.values())

# %% [markdown]
# ## Why?
#
# Not because of older data: views were equally old under every policy. What differs is what the
# nodes do with an old view. `view_error_mean` is the distance between the load
# a node believes in and the true one: a policy that sends everything to whoever looks best makes its
# own view wrong. Drawing two servers at random and taking the better one (`two_choices`) uses the
# same stale data, but no single server can be the best of all draws (Mitzenmacher 2000, *How useful
# is old information?*).

# %%
if is_sample:
    assert abs(herd["view_age_ms_p50"] - two["view_age_ms_p50"]) < 0.5
    assert herd["view_error_mean"] > 2 * two["view_error_mean"]
