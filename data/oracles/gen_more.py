"""Writes the tables that `lbsim validate` adds to those of gen_public.py.  Usage: python gen_more.py"""
import csv, os

here = os.path.dirname(os.path.abspath(__file__))


def erlang_c(c, a):
    b = 1.0
    for k in range(1, c + 1):
        b = a * b / (k + a * b)
    return b / (1 - a / c * (1 - b))


# Processor sharing: c slots shared by all who are there, nobody faster than one slot. The queue is
# symmetric (Kelly 1979), so the number in the system has the law of M/M/c for every law of services.
with open(os.path.join(here, "q01_processor_sharing.csv"), "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["case_id", "c", "rho", "lam", "mean_sojourn", "mean_in_system", "utilization"])
    for c in (1, 4):
        for rho in (0.5, 0.7, 0.8, 0.9):
            a = rho * c
            t = 1 + erlang_c(c, a) / (c - a)
            w.writerow([f"ps-c{c}-r{rho}", c, rho, f"{a:.12g}", f"{t:.12g}", f"{a * t:.12g}", rho])

# Stale boards in a fleet of 100 at load 0.9: an independent simulation (C, 4 seeds, standard deviation
# of one below 1 %, so a standard error of 0.5 %, and rounding). Draws with replacement; `all` is the least
# loaded of all, where the spread is that small.
CURVES = {
    0.1: (2.69, 2.13, 1.55), 0.5: (2.83, 2.35, 2.82), 1: (2.98, 2.60, 4.02), 2: (3.26, 3.07, 6.09),
    5: (4.02, 4.32, 12.1), 10: (5.11, 6.26, 23.4), 20: (7.05, 9.91, None), 50: (12.4, 20.8, None),
}
with open(os.path.join(here, "q02_stale_curves.csv"), "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["case_id", "n", "d", "T", "lam", "mean_sojourn", "mean_sojourn_se"])
    for t, values in CURVES.items():
        for d, x in zip((2, 3, "all"), values):
            if x:
                digit = 0.1 if x >= 10 else 0.01
                se = ((0.005 * x) ** 2 + digit ** 2 / 12) ** 0.5
                w.writerow([f"curve-d{d}-T{t:g}", 100, d, f"{t:g}", 0.9, x, f"{se:.3g}"])
