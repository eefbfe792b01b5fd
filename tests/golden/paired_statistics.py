"""Makes fixtures/statistics.json: differences of paired runs with the numbers that scipy gives for them.

    python3 -m venv venv && venv/bin/pip install scipy==1.17.1 statsmodels==0.15.0
    venv/bin/python tests/golden/paired_statistics.py
"""

import json
import pathlib

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests


def wilcoxon(differences):
    """Exact in every case: scipy's own table for distinct differences, all signs where there are ties or zeros."""
    d = np.array(differences)
    distinct = len(set(np.abs(d))) == len(d) and np.all(d != 0)
    method = "exact" if distinct else stats.PermutationMethod(n_resamples=np.inf)
    return float(stats.wilcoxon(d, zero_method="wilcox", method=method).pvalue)


def case(differences):
    d = np.array(differences, dtype=float)
    low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
    return {
        "differences": [float(x) for x in d],
        "mean": float(d.mean()),
        "sd": float(d.std(ddof=1)),
        "interval": [float(low), float(high)],
        "t_test": float(stats.ttest_rel(d, np.zeros_like(d)).pvalue),
        "wilcoxon": wilcoxon(d),
    }


random = np.random.default_rng(4)
cases = [
    [2.7, 2.2, -0.4],
    [1.0, 3.0],
    [0.5, -0.5, 0.5, 1.0, 0.0, 1.5, 1.0, -0.25],  # ties and a zero
    [0.0, 0.0, 0.0, 1.0, 2.0],
    [-3.0, -3.0, -3.0, -3.0, -2.0, 1.0],
    *(random.normal(centre, 1, n).tolist() for centre, n in [(0.3, 5), (1, 8), (-1.5, 10), (0, 20), (0.6, 40)]),
]
families = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.2, 0.9], [0.02], [0.01, 0.01, 0.03, 0.001, 0.03]]
result = {
    "paired": [case(c) for c in cases],
    "holm": [{"p": p, "corrected": [float(x) for x in multipletests(p, method="holm")[1]]} for p in families],
}
out = pathlib.Path(__file__).parent / "fixtures" / "statistics.json"
out.write_text(json.dumps(result).replace("}, {", "},\n{") + "\n")
