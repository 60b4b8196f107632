# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # Which real system's default balancer would you rather have?
#
# `data/sweeps/tournament.toml`: every preset with the exact defaults of its system (`lbsim list presets` has each
# value and its source) and this project's own policies, on the same requests. Three fleets at 70 % load behind 4
# load balancers: machines that are alike; two generations, the older a third as fast; machines that others' work
# slows to a third of their speed, a fifth of the time. Each with and without a grey failure, in which a tenth of the
# servers is ten times slower for three of the ten seconds. Four heartbeat intervals, from a fifth of a mean
# service time (10 ms) to twenty of them.
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl
from IPython.display import display

import charts

folder, is_sample = charts.folder("tournament")
FLEETS = ["alike", "two generations", "antagonists"]
points = charts.points(folder).with_columns(
    fleet=pl.when(pl.col("servers").str.contains("antagonist"))
    .then(pl.lit(FLEETS[2]))
    .when(pl.col("servers").str.contains("speed"))
    .then(pl.lit(FLEETS[1]))
    .otherwise(pl.lit(FLEETS[0])),
    fails=pl.col("faults").str.contains("slow"),
    ratio=charts.in_ms("heartbeat.interval") / 10,
)
# Policies that look at reports, whose figures depend on the heartbeat.
READERS = ["lowest_latency", "two_choices", "load_interpretation"]
# What a policy goes by.
KINDS = {
    "nothing": ["random", "envoy_random", *(f"{s}round_robin" for s in ("", "envoy_", "nginx_", "grpc_")), "haproxy_roundrobin"],
    "the key": ["envoy_ring_hash", "envoy_maglev", "grpc_ring_hash"],
    "idleness": ["join_idle_queue", "join_idle_queue_sq2"],
    "weights from reports": ["envoy_client_side_wrr", "grpc_wrr"],
    "reports": READERS,
    "probes": ["prequal_paper", "prequal_youtube"],
    "held back": ["c3_paper"],
}
KIND = {policy: kind for kind, policies in KINDS.items() for policy in policies}
COUNTING = "own requests and answers"
points = points.with_columns(kind=pl.col("policy").replace_strict(KIND, default=COUNTING))

# %% [markdown]
# ## p99 by policy
#
# A heartbeat every service time; bars are 95 % intervals over 3 replications. The scale is logarithmic, for
# whoever draws blindly on two generations fills the older one.

# %%
def ranking(fleet, fails):
    data = points.filter((pl.col("fleet") == fleet) & (pl.col("ratio") == 1) & (pl.col("fails") == fails))
    order = data.sort("latency_ms_p99")["policy"].to_list()
    y = alt.Y("policy:N", sort=order, title=None)
    ends = [data[f"latency_ms_p99{end}"] for end in ["", "_ci_low", "_ci_high"]]
    scale = charts.log_scale(*(end.filter(end > 0) for end in ends))
    x = alt.X("latency_ms_p99:Q", scale=scale, title="p99 [ms]")
    low, high = pl.col("latency_ms_p99_ci_low").clip(scale.domain[0]), pl.col("latency_ms_p99_ci_high")
    base = alt.Chart(data.with_columns(low=low, high=high)).encode(
        y=y, color=alt.Color("kind:N", sort=[COUNTING, *KINDS], title="goes by")
    )
    bars = base.mark_rule(strokeWidth=3, opacity=0.35).encode(x=alt.X("low:Q", scale=scale, title="p99 [ms]"), x2="high:Q")
    return (bars + base.mark_point(filled=True, size=60).encode(x=x)).properties(width=560, title=fleet)


for fleet in FLEETS:
    display(ranking(fleet, False))

# %% [markdown]
# * **Alike**: everybody who counts his own requests is within half a millisecond of the best; drawing blindly is less than
#   two behind. Worse than blind are `lowest_latency`, which trusts reports, hashing by key, and Prequal: its pool of 16
#   answers is made for hundreds of servers, and with 20 its formula lets an answer be used without limit; besides,
#   latencies tell little where eight requests fit side by side.
# * **Two generations**: whoever goes by nothing or by the key gives the older half more than it can carry, and so does
#   join-idle-queue, for a server of eight slots is hardly ever idle: their p99 is in seconds, and grows with the run.
#   Weights from reports come too late for the ten seconds of their blackout, and the p99 is of what those left. Prequal is the
#   best of all, then `lowest_latency` on fresh reports, then `nginx_least_time`: latency tells slow machines apart.
# * **Antagonists**: a machine that is slow now is not the one that was: own requests see it at once, and
#   Prequal's latencies too late. `nginx_least_time`, which weighs latency with own requests, is the best of all.
# * C3 with its rate control lets four nodes send far less than the fleet could do: its constants are for hundreds.

# %%
alike, old, noisy = FLEETS
if is_sample:

    def value(policy, fleet, ratio=1, fails=False, metric="latency_ms_p99"):
        rows = points.filter(
            (pl.col("policy") == policy)
            & (pl.col("fleet") == fleet)
            & (pl.col("ratio") == ratio)
            & (pl.col("fails") == fails)
        )
        assert len(rows) == 1, (policy, fleet, ratio, fails)
        return rows[metric][0]

    def values(policies, fleet, **where):
        return [value(p, fleet, **where) for p in policies]

    counting = points.filter(pl.col("kind") == COUNTING)["policy"].unique().sort().to_list()
    assert len(counting) == 15
    ideal = min(values(counting, alike))
    assert max(values(counting, alike)) < ideal + 0.5
    assert ideal < min(values(KINDS["nothing"], alike)) and max(values(KINDS["nothing"], alike)) < ideal + 2
    for policy in ("lowest_latency", *KINDS["the key"], *KINDS["probes"]):
        assert value(policy, alike) > max(values(KINDS["nothing"], alike)), policy
    blind = [*KINDS["nothing"], *KINDS["the key"], *KINDS["idleness"]]
    assert min(values(blind, old)) > 5_000
    assert 2_000 < min(values(KINDS["weights from reports"], old)) < 5_000
    assert max(values(counting, old)) < 150
    best = sorted(set(points["policy"]) - {"prequal_youtube"}, key=lambda p: value(p, old))
    assert best[:3] == ["prequal_paper", "lowest_latency", "nginx_least_time"]
    assert min(values(blind, noisy)) > 5 * max(values(counting, noisy))
    assert min(values(KINDS["probes"], noisy)) > max(values(KINDS["nothing"], noisy))
    assert min(set(points["policy"]), key=lambda p: value(p, noisy)) == "nginx_least_time"
    assert min(values(KINDS["held back"], alike)) > 1_000

# %% [markdown]
# ## A grey failure
#
# A tenth of the servers is ten times slower for three of the ten seconds, and nobody is told.

# %%
alt.vconcat(*(ranking(fleet, True) for fleet in FLEETS))

# %% [markdown]
# Whoever counts his own requests does not send to where they pile up: on machines that are alike the failure costs at most a
# sixth of the p99, and `nginx_least_time` and `linkerd_peak_ewma` hardly notice. Whoever goes by nothing or by the key
# sends every tenth request into it, and the p99 is that of the slow servers' queues; weights from reports halve that.

# %%
if is_sample:
    for policy in counting:
        assert value(policy, alike, fails=True) < 1.17 * value(policy, alike), policy
    for policy in ("nginx_least_time", "linkerd_peak_ewma"):
        assert value(policy, alike, fails=True) < 1.06 * value(policy, alike)
    into_it = [*KINDS["nothing"], *KINDS["the key"]]
    assert min(values(into_it, alike, fails=True)) > 2_000
    assert max(values(KINDS["weights from reports"], alike, fails=True)) < 1_300

# %% [markdown]
# ## The age of news
#
# Policies that look at reports against the best and the usual of those that do not (level lines). Where machines
# differ, reports of the whole fleet's load and latency beat the usual of what one of four nodes knows by
# itself up to a heartbeat every service time, and on two generations the best of it too; from five service
# times on the best system beats them all, and at twenty the usual one does.

# %%
SHOWN = [*READERS, "envoy_least_request", "nginx_least_time"]


def against_age(fleet):
    data = points.filter(
        (pl.col("fleet") == fleet) & ~pl.col("fails") & pl.col("policy").is_in(SHOWN)
    ).with_columns(series=pl.col("policy"))
    axis = alt.Axis(values=[0.2, 1, 5, 20], format="~g")
    title = "heartbeat interval / mean service time"
    x = alt.X("ratio:Q", title=title, scale=charts.log_scale(data["ratio"]), axis=axis)
    ends = [data["latency_ms_p99"], data["latency_ms_p99_ci_high"]]
    chart = charts.curves(data, x, "latency_ms_p99", order=SHOWN, title="p99 [ms]", scale=charts.log_scale(*ends))
    return chart.properties(width=560, height=220, title=fleet)


alt.vconcat(*(against_age(fleet) for fleet in FLEETS))

# %%
if is_sample:
    level = points.filter(pl.col("kind").is_in([COUNTING, "nothing", "the key"]))
    spread = level.group_by("policy", "fleet", "fails").agg(pl.col("latency_ms_p99").n_unique())
    assert (spread["latency_ms_p99"] == 1).all()  # They hear no report that could be old.
    for fleet in (old, noisy):
        best_of_systems = min(value(p, fleet) for p in counting)
        usual = value("envoy_least_request", fleet)
        assert value("lowest_latency", fleet, 1) < usual < value("lowest_latency", fleet, 20)
        assert value("lowest_latency", fleet, 5) > best_of_systems
        assert value("two_choices", fleet, 20) > usual
        assert value("two_choices", fleet, 1) < usual
    assert value("lowest_latency", old, 1) < min(value(p, old) for p in counting)
    # Where all are alike, reading old loads with their age never does worse than drawing blindly (its interval is 2 % wide).
    for ratio in (0.2, 1, 5, 20):
        assert value("load_interpretation", alike, ratio) < 1.01 * value("random", alike)
    assert value("two_choices", alike, 20) > value("random", alike)
