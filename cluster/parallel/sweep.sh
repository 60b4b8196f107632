#!/bin/sh
# Runs the shards of a plan over ssh on machines that share a folder, with GNU parallel:
#
#   cluster/parallel/sweep.sh plan.json out --sshloginfile hosts --jobs 8
#
# `hosts` holds a line a machine; --jobs says how many shards a machine runs at once. What follows the first
# two arguments goes to parallel as it is; without any, the shards run on this machine. A shard that fails
# or whose machine dies is tried three times, elsewhere if possible. If this machine dies too, the same
# command goes on. LBSIM names the program where it is not in the PATH of the machines.
set -eu
if [ "$#" -lt 2 ]; then
    echo "usage: $0 PLAN OUT [OPTION OF PARALLEL]..." >&2
    exit 2
fi
plan=$1 out=$2 lbsim=${LBSIM:-lbsim}
shift 2

mkdir -p "$out"
# How many shards there are, the plan knows.
count=$("$lbsim" sweep status "$out" --plan "$plan" --json | sed -n 's/.*"shards":\([0-9]*\).*/\1/p')
: "${count:?}"

# The log stands beside the folder of results, which holds nothing else. -q hands every word on as it is,
# through ssh too.
seq 0 $((count - 1)) |
    parallel -q --joblog "${out%/}.joblog" --resume-failed --retries 3 --workdir . "$@" \
        "$lbsim" sweep run --plan "$plan" --shard {} --out "$out" ||
    echo "$0: not all shards came to their end; the same command tries them again" >&2
# 0 if nothing is missing, else 3 and what is.
exec "$lbsim" sweep status "$out" --plan "$plan"
