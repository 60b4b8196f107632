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
# `data/sweeps/tournament.toml`: presets with the exact defaults of Envoy, HAProxy, NGINX, Linkerd and Finagle
# (`lbsim list presets` has every value and its source) and this project's own policies, on the same requests.
# Three fleets at 70 % load behind 4 load balancers: machines that are alike; two generations, the older a
# third as fast; machines that others' work slows to a third of their speed, a fifth of the time. Four
# heartbeat intervals, from a fifth of a mean service time (10 ms) to twenty of them.
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("tournament")
FLEETS = ["alike", "two generations", "antagonists"]
points = charts.points(folder).with_columns(
    fleet=pl.when(pl.col("servers").str.contains("antagonist"))
    .then(pl.lit(FLEETS[2]))
    .when(pl.col("servers").str.contains("speed"))
    .then(pl.lit(FLEETS[1]))
    .otherwise(pl.lit(FLEETS[0])),
    ratio=charts.in_ms("heartbeat.interval") / 10,
)
SYSTEMS = ["envoy", "haproxy", "nginx", "linkerd", "finagle"]
# Policies that look at reports, whose figures depend on the heartbeat.
READERS = ["lowest_latency", "two_choices", "load_interpretation"]

# %% [markdown]
# ## p99 by policy
#
# A heartbeat every service time; bars are 95 % intervals over 3 replications. The scale is logarithmic, for
# whoever draws blindly on two generations fills the older one.

# %%
def ranking(fleet):
    data = points.filter((pl.col("fleet") == fleet) & (pl.col("ratio") == 1))
    order = data.sort("latency_ms_p99")["policy"].to_list()
    y = alt.Y("policy:N", sort=order, title=None)
    ends = [data[f"latency_ms_p99{end}"] for end in ["", "_ci_low", "_ci_high"]]
    scale = charts.log_scale(*(end.filter(end > 0) for end in ends))
    x = alt.X("latency_ms_p99:Q", scale=scale, title="p99 [ms]")
    low, high = pl.col("latency_ms_p99_ci_low").clip(scale.domain[0]), pl.col("latency_ms_p99_ci_high")
    base = alt.Chart(data.with_columns(low=low, high=high)).encode(y=y)
    bars = base.mark_rule(strokeWidth=3, opacity=0.35).encode(x=alt.X("low:Q", scale=scale, title="p99 [ms]"), x2="high:Q")
    return (bars + base.mark_point(filled=True, size=60).encode(x=x)).properties(width=560, title=fleet)


alt.vconcat(*(ranking(fleet) for fleet in FLEETS))

# %% [markdown]
# * **Alike**: everybody who counts his own requests is within a millisecond of the ideal; so is `random` within
#   three. Only `lowest_latency`, which trusts reports, is worse than drawing blindly.
# * **Two generations**: `random`, `round_robin` and hashing by key give the older half more than it can carry: their p99
#   is in seconds, and would grow with the run. Counting one's own requests is enough for all others.
# * **Antagonists**: the same split; it is not about who is old but about who is slow now.
# * `nginx_least_time`, which weighs latency with own requests, is the best of the real systems wherever speeds differ.

# %%
if is_sample:

    def value(policy, fleet, ratio=1, metric="latency_ms_p99"):
        rows = points.filter(
            (pl.col("policy") == policy) & (pl.col("fleet") == fleet) & (pl.col("ratio") == ratio)
        )
        assert len(rows) == 1, (policy, fleet, ratio)
        return rows[metric][0]

    systems = [p for p in points["policy"].unique().to_list() if p.split("_")[0] in SYSTEMS]
    counting = [p for p in systems if p != "envoy_maglev"]
    assert len(counting) == 8
    alike, old, noisy = FLEETS
    ideal = min(value(p, alike) for p in counting)
    assert all(value(p, alike) < ideal + 1 for p in counting)
    assert ideal + 1 < value("random", alike) < ideal + 3
    assert value("lowest_latency", alike) > value("random", alike)
    blind = ["random", "round_robin", "envoy_maglev"]
    assert min(value(p, old) for p in blind) > 1_000
    assert max(value(p, old) for p in counting) < 150
    assert min(value(p, noisy) for p in blind) > 5 * max(value(p, noisy) for p in counting)
    for fleet in (old, noisy):
        assert min(counting, key=lambda p: value(p, fleet)) == "nginx_least_time"

# %% [markdown]
# ## The age of news
#
SYSTEMS = ["envoy", "haproxy", "nginx", "linkerd", "finagle"]
# Policies that look at reports against the best and the usual of those that do not (level lines). Where machines
# differ, reports of the whole fleet's load and latency beat the usual of what one of four nodes knows by
# itself up to a heartbeat every service time, and on two generations the best of it too; from five service
# times on the best system beats them all, and at twenty the usual one does.

# %%
SHOWN = [*READERS, "envoy_least_request", "nginx_least_time"]


def against_age(fleet):
    data = points.filter((pl.col("fleet") == fleet) & pl.col("policy").is_in(SHOWN)).with_columns(
        series=pl.col("policy")
    )
    axis = alt.Axis(values=[0.2, 1, 5, 20], format="~g")
    title = "heartbeat interval / mean service time"
    x = alt.X("ratio:Q", title=title, scale=charts.log_scale(data["ratio"]), axis=axis)
    ends = [data["latency_ms_p99"], data["latency_ms_p99_ci_high"]]
    chart = charts.curves(data, x, "latency_ms_p99", order=SHOWN, title="p99 [ms]", scale=charts.log_scale(*ends))
    return chart.properties(width=560, height=220, title=fleet)


alt.vconcat(*(against_age(fleet) for fleet in FLEETS))

# %%
if is_sample:
    level = points.filter(~pl.col("policy").is_in(READERS))
    spread = level.group_by("policy", "fleet").agg(pl.col("latency_ms_p99").n_unique())
    assert (spread["latency_ms_p99"] == 1).all()  # They hear no report that could be old.
    for fleet in (old, noisy):
        best_of_systems = min(value(p, fleet) for p in counting)
        usual = value("envoy_least_request", fleet)
        assert value("lowest_latency", fleet, 1) < usual < value("lowest_latency", fleet, 20)
        assert value("lowest_latency", fleet, 5) > best_of_systems
        assert value("two_choices", fleet, 20) > usual
        assert value("two_choices", fleet, 1) < usual
    assert value("lowest_latency", old, 1) < min(value(p, old) for p in counting)
    # Where all are alike, reading old loads with their age never does worse than drawing blindly.
    for ratio in (0.2, 1, 5, 20):
        assert value("load_interpretation", alike, ratio) < value("random", alike)
    assert value("two_choices", alike, 20) > value("random", alike)
