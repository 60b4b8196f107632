# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # How old may news be before a policy that trusts them does harm?
#
# `data/sweeps/staleness.toml`: 20 servers of 8 slots at 70 % load behind 4 load balancers. The heartbeat
# interval goes from a fortieth of a mean service time to a hundred of them, for services of 10 and of
# 40 ms. Six policies; two of them with and without what a node knows of its own requests (`own_sends`,
# `signal = combined`).
#
# Every claim is asserted in the cell below it. `LBSIM_SWEEP` names another folder to read.

# %%
import altair as alt
import polars as pl

import charts

folder, is_sample = charts.folder("staleness")
service = "servers.0.service.exponential.mean"
points = charts.points(folder).with_columns(
    ratio=charts.in_ms("heartbeat.interval") / charts.in_ms(service), service_ms=charts.in_ms(service)
)
for part in ["", "_ci_low", "_ci_high"]:
    for metric in ["latency_ms_mean", "latency_ms_p99"]:
        relative = pl.col(metric + part) / pl.col("service_ms")
        points = points.with_columns(relative.alias(metric.replace("_ms", "") + part))
slow = points.filter(pl.col("service_ms") == points["service_ms"].max())



def age(data):
    return alt.X(
        "ratio:Q",
        title="heartbeat interval / mean service time",
        scale=charts.log_scale(data["ratio"]),
        axis=alt.Axis(format="~g", values=[0.03, 0.1, 0.3, 1, 3, 10, 30, 100]),
    )


# %% [markdown]
# ## Mean and p99 against the age of news
#
# Latencies are in mean service times, so the ideal of an idle fleet is 1 for the mean and 4.6 for the
# p99 (services are exponential). Services of 40 ms; bands are 95 % intervals.


# %%
def against_age(metric, title, data):
    scale = charts.log_scale(data[metric], data[f"{metric}_ci_high"])
    chart = charts.curves(data, age(data), metric, title="service times", scale=scale)
    return chart.properties(width=620, height=230, title=title)


alt.vconcat(
    against_age("latency_mean", "Mean latency", slow),
    against_age("latency_p99", "99th percentile of latency", slow),
)

# %% [markdown]
# * `lowest_latency` that ignores its own requests herds even on the freshest news that are worth their
#   bytes, and its latency grows in proportion to the interval: for a whole interval all nodes send to
#   the same server.
# * Counting its own requests takes an order of magnitude off that, but never makes it better than
#   drawing blindly.
# * `two_choices` beats drawing blindly up to an interval of two service times and loses from five on.
#   Which of the two signals it uses matters only with old news, and then by a factor.
# * `round_robin` and `random` look at no news: their lines are level.

# %%
if is_sample:

    def value(series, ratio, metric="latency_ms_p99", ms=40):
        rows = points.filter(
            (pl.col("series") == series) & (pl.col("ratio") == ratio) & (pl.col("service_ms") == ms)
        )
        assert len(rows) == 1, (series, ratio, ms)
        return rows[metric][0]

    herd, lowest = "lowest_latency, own_sends = false", "lowest_latency, own_sends = true"
    combined, reported = "two_choices, signal = combined", "two_choices, signal = reported"
    for ms in (10, 40):
        for metric in ("latency_ms_mean", "latency_ms_p99"):
            blind = value("random", 5, metric, ms)
            assert value(combined, 0.5, metric, ms) < blind < value(combined, 5, metric, ms)
            assert value(reported, 0.5, metric, ms) < blind < value(reported, 5, metric, ms)
        # In proportion to the interval.
        far = {10: 20, 40: 25}[ms]
        growth = value(herd, far, "latency_ms_mean", ms) / value(herd, 5, "latency_ms_mean", ms)
        assert 0.9 < growth / (far / 5) < 1.1
        assert value(herd, 5, "latency_ms_mean", ms) > 6 * value(lowest, 5, "latency_ms_mean", ms)
    assert value(combined, 2, ms=10) < value("random", 2, ms=10)
    assert value(combined, 2.5) < value("random", 2.5)
    assert value(reported, 25) > 1.7 * value(combined, 25)
    level = points.filter(pl.col("series").is_in(["random", "round_robin"]))
    spread = level.group_by("series", "service_ms").agg(pl.col("latency_ms_p99").n_unique())
    assert (spread["latency_ms_p99"] == 1).all()
    assert min(value(lowest, r) for r in (0.25, 1.25)) > value("random", 0.25)

# %% [markdown]
# ## It is the ratio that counts
#
# The same for services of 10 and of 40 ms: at equal ratios of interval to service time, latencies in
# service times are nearly equal. So measure your service times first: a heartbeat every 20 ms is fresh
# for services of 40 ms and stale for services of 4 ms.

# %%
two = points.filter(pl.col("series") == "two_choices, signal = combined").with_columns(
    series=pl.format("services of {} ms", pl.col("service_ms").cast(pl.Int64))
)
against_age("latency_mean", "two_choices: mean latency, two service times", two)

# %%
if is_sample:
    for ratio in (0.5, 5):
        a = value(combined, ratio, "latency_mean", 10)
        b = value(combined, ratio, "latency_mean", 40)
        # 1 ms of network there and back is a tenth of the short service and a fortieth of the long one.
        assert abs((a - 0.1) / (b - 0.025) - 1) < 0.06, (ratio, a, b)

# %% [markdown]
# ## The herd made visible
#
# `herd_index` is the share of all picks of a heartbeat interval that its most picked server got. With a
# service time or more between heartbeats chance alone gives 5 to 10 % of 20 servers. (At the left end a
# heartbeat interval holds a handful of picks, so some server always gets many of them.)

# %%
charts.curves(
    slow,
    age(slow),
    "herd_index",
    title="share of the most picked server",
    axis=alt.Axis(format="%"),
    scale=alt.Scale(domain=[0, 1]),
).properties(width=620, height=260)

# %%
if is_sample:
    for ratio in (1.25, 5, 25):
        assert value(herd, ratio, "herd_index") > 0.55
        assert value(lowest, ratio, "herd_index") < 0.25
        assert value(combined, ratio, "herd_index") < 0.12
