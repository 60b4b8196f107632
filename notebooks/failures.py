# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
#     language: python
# ---

# %% [markdown]
# # What happens when something fails, and when is it over?
#
# Two runs, interval by interval as `lbsim run --out` writes them (`timeseries.csv`):
#
# * `data/scenarios/servers-crash.toml`: a fifth of 100 servers dies silently from second 6 to 11. Nothing
#   is reset; a node finds out by the silence of the heartbeats (every 100 ms, failed after 350 ms).
# * `data/scenarios/node-crash.toml`: one of five load balancers is down from second 4 to 8. Its requests
#   are lost until the others take them over, 500 ms later.
#
# Every claim is asserted in the cell below it.

# %%
import altair as alt
import polars as pl

import charts

servers, _ = charts.folder("servers-crash", "LBSIM_SERVERS_CRASH")
nodes, _ = charts.folder("node-crash", "LBSIM_NODE_CRASH")
is_sample = "samples" in str(servers) and "samples" in str(nodes)
crash = pl.read_csv(servers / "timeseries.csv", infer_schema_length=None).filter(pl.col("replication") == 0)
order = crash["policy"].unique(maintain_order=True).to_list()
DOWN, UP = 6.0, 11.0


def over_time(data, column, title, unit, down, up, **y):
    """A line a policy, and a grey field for the time of the failure."""
    x = alt.X("time_s:Q", title="time [s]", scale=alt.Scale(nice=False))
    field = alt.Chart(pl.DataFrame({"from": [down], "to": [up]})).mark_rect(color="#ddd", opacity=0.6)
    series = data.with_columns(series="policy")
    names = data["policy"].unique(maintain_order=True).to_list()
    lines = alt.Chart(series).mark_line(strokeWidth=1.5, clip=True)
    legend = None if len(names) == 1 else alt.Legend(symbolSize=300, columnPadding=36, symbolStrokeWidth=2)
    lines = lines.encode(
        x=x,
        y=alt.Y(f"{column}:Q", title=unit, **y),
        color=alt.Color("series:N", scale=charts.scale_of("color", names), title=None, legend=legend),
        strokeDash=alt.StrokeDash(
            "series:N", scale=charts.scale_of("strokeDash", names), title=None, legend=legend
        ),
    )
    field = field.encode(x=alt.X("from:Q", title="time [s]"), x2="to:Q")
    return (field + lines).properties(width=620, height=130, title=title)


# %% [markdown]
# ## Servers that die silently: how soon do the nodes know?
#
# The share of servers that the nodes take for up. The grey field is the truth: 20 % are down.

# %%
over_time(
    crash,
    "view_available_share",
    "Servers taken for up",
    "share",
    DOWN,
    UP,
    axis=alt.Axis(format="%"),
    scale=alt.Scale(domain=[0.75, 1.02], nice=False),
)

# %%
runs = pl.read_csv(servers / "runs.csv", infer_schema_length=None)
runs.select("policy", "detection_ms_mean", "detection_ms_max", "recovery_ms_mean", "recovery_ms_max", "timed_out", "rejected")

# %% [markdown]
# Detection takes the 350 ms less the age of the last report, 300 ms on average and 350 at most, under
# every policy. Recovery takes until the first report, 50 ms on average.

# %%
if is_sample:
    assert runs["detection_ms_mean"].is_between(280, 320).all()
    assert (runs["detection_ms_max"] <= 351).all()
    assert runs["recovery_ms_mean"].is_between(30, 70).all()
    seen = crash.filter(pl.col("time_s").is_between(DOWN + 0.5, UP - 0.1))["view_available_share"]
    assert (seen == 0.8).all()
    after = crash.filter(pl.col("time_s") > UP + 0.2)["view_available_share"]
    assert (after == 1.0).all()

# %% [markdown]
# ## What does that cost, and when is it over?
#
# Requests that ended otherwise than `ok`, an interval of 200 ms each. What a node sends to a dead server ends
# half a second later with the client's patience.

# %%
bad = crash.with_columns(bad=pl.sum_horizontal("rejected", "refused", "timed_out", "failed", "lost"))
alt.vconcat(
    over_time(bad, "bad", "Requests not answered", "requests", DOWN, UP, scale=alt.Scale(type="symlog")),
    over_time(crash, "latency_ms_p99", "99th percentile of latency", "ms", DOWN, UP, scale=alt.Scale(zero=False)),
    over_time(crash, "waiting", "Requests waiting at servers", "requests", DOWN, UP),
)

# %% [markdown]
# * `random` sends a fifth of its requests into the void until it knows.
# * `two_choices` loses less than half of that: unanswered requests pile up in each node's own count of a
#   dead server, so it soon looks busy. The count is a failure detector that needs no heartbeat.
# * `lowest_latency` loses fewest at first, for the same reason, but then rejects requests for as long as the
#   servers are down: with four fifths of the fleet left, every slot it believes in is soon taken.
# * When the servers are back, all is as before within half a second.

# %%
if is_sample:
    timed_out = dict(runs.select("policy", "timed_out").iter_rows())
    rejected = dict(runs.select("policy", "rejected").iter_rows())
    assert timed_out["two_choices"] < 0.5 * timed_out["random"]
    assert timed_out["lowest_latency"] < 0.5 * timed_out["two_choices"]
    assert rejected["lowest_latency"] > 5 * timed_out["random"] and rejected["random"] == 0
    calm = bad.filter(pl.col("time_s").is_between(UP + 0.6, 19))
    assert calm["bad"].sum() < 1e-3 * calm["arrived"].sum()
    p99 = crash.group_by("policy", late=pl.col("time_s") > UP + 0.6).agg(pl.col("latency_ms_p99").mean())
    before = crash.filter(pl.col("time_s").is_between(2, DOWN - 0.1)).group_by("policy").agg(
        pl.col("latency_ms_p99").mean().alias("before")
    )
    both = p99.filter("late").join(before, on="policy")
    assert ((both["latency_ms_p99"] / both["before"] - 1).abs() < 0.1).all()

# %% [markdown]
# ## A load balancer that dies
#
# Nothing here depends on another node: the four that are left serve on. What was in the dead node, and what
# comes to it in the first 500 ms, is lost; then its clients turn to the others. Membership tells the
# others in between: the lower figure is how many live members a node knows.

# %%
node = pl.read_csv(nodes / "timeseries.csv", infer_schema_length=None).filter(pl.col("replication") == 0)
NODE_DOWN, NODE_UP = 4.0, 8.0
alt.vconcat(
    over_time(node, "lost", "Requests lost", "requests", NODE_DOWN, NODE_UP),
    over_time(node, "latency_ms_p99", "99th percentile of latency", "ms", NODE_DOWN, NODE_UP, scale=alt.Scale(domain=[0, 100])),
    over_time(node, "members_known", "Live members that a live node knows, on average", "nodes", NODE_DOWN, NODE_UP, scale=alt.Scale(domain=[3.8, 5.1])),
)

# %%
if is_sample:
    lost = node.filter(pl.col("lost") > 0)["time_s"]
    assert NODE_DOWN - 0.2 < lost.min() and lost.max() < NODE_DOWN + 0.5
    knows = node.filter(pl.col("time_s").is_between(NODE_DOWN + 1, NODE_UP - 0.2))["members_known"]
    assert (knows == 4).all()
    again = node.filter(pl.col("time_s") > NODE_UP + 1)["members_known"]
    assert (again == 5).all()
