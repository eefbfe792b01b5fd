"""Figures from measurements: medians, ratios, growth; a JSON object and a Markdown table."""

import math
import statistics


def time_text(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        value = seconds * factor
        if value >= 1 or unit == "us":
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def median_of(measurements, key):
    return statistics.median(m[key] for m in measurements)


def best(contenders):
    """Name and measurements of the contender with the least median time; (None, []) when there is none."""
    measured = {name: runs for name, runs in contenders.items() if runs}
    name = min(measured, key=lambda n: median_of(measured[n], "seconds"), default=None)
    return name, measured.get(name, [])


def side(name, runs):
    figures = {"contender": name, "seconds": median_of(runs, "seconds")}
    for key in ("peak_mib", "ap"):
        if key in runs[0]:
            figures[key] = median_of(runs, key)
    return figures


def largest_difference(result):
    return max((m["difference"] for runs in result["theirs"].values() for m in runs if "difference" in m), default=None)


def too_different(results):
    return [r for r in results if not (largest_difference(r) or 0) <= r["case"].tolerance]


def row(result):
    case = result["case"]
    figures = {"section": case.section, "case": case.name, "series": case.series, "size": case.size, "once": case.once}
    (our_name, ours), (their_name, theirs) = best(result["ours"]), best(result["theirs"])
    if ours:
        figures["ours"] = side(our_name, ours)
    if theirs:
        figures["theirs"] = side(their_name, theirs)
    if ours and theirs:
        seconds = {m["round"]: m["seconds"] for m in ours}
        ratios = [m["seconds"] / seconds[m["round"]] for m in theirs if m["round"] in seconds]
        if ratios:
            figures["times_faster"] = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
        if "peak_mib" in figures["ours"] and "peak_mib" in figures["theirs"]:
            figures["memory_share"] = figures["ours"]["peak_mib"] / figures["theirs"]["peak_mib"]
    difference = largest_difference(result)
    if difference is not None:
        figures["difference"], figures["agrees"] = difference, difference <= case.tolerance
    for key in ("failures", "left_out"):
        if result[key]:
            figures[key] = result[key]
    figures["measurements"] = {who: result[who] for who in ("ours", "theirs")}
    return figures


def add_growth(rows):
    """The power of the size with which time grows from the row before of the same series."""
    previous = {}
    for r in rows:
        before = previous.get((r["section"], r["series"])) if r["series"] else None
        for who in ("ours", "theirs"):
            if before and who in r and who in before and r["size"] > before["size"]:
                r[who]["growth"] = (math.log(r[who]["seconds"] / before[who]["seconds"])
                                    / math.log(r["size"] / before["size"]))
        previous[(r["section"], r["series"])] = r


def summarise(about, results):
    rows = [row(result) for result in results if any(runs for w in ("ours", "theirs") for runs in result[w].values())
            or result["failures"] or result["left_out"]]
    add_growth(rows)
    return {**about, "rows": rows}


def cell(figures, key, text):
    return text(figures[key]) if figures and key in figures else ""


def both(r, key, text):
    cells = [cell(r.get(who), key, text) for who in ("ours", "theirs")]
    return " / ".join(c or "-" for c in cells) if any(cells) else ""


def markdown(summary):
    machine = summary["machine"]
    versions = summary.get("versions")
    peers = (f"; PyTorch {versions['torch']}, torchvision {versions['torchvision']} on {versions['device']}"
             if versions else "")
    lines = [f"{summary['date']}, {machine['processor']}, {machine['processors']} processors, load "
             f"{machine['load'][0]:.1f} at the start; {machine['diopter']} ({machine['commit']}){peers}; medians of "
             f"{summary['rounds']} rounds, {summary['seconds'] / 60:.0f} minutes.",
             "",
             "| section | case | ours | PyTorch | best of | times faster | memory, MiB | grows as size^ | AP | difference |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for r in summary["rows"]:
        timed = not r["once"]
        faster = r.get("times_faster") if timed else None
        lines.append("| " + " | ".join([
            r["section"], r["case"], cell(r.get("ours"), "seconds", time_text) if timed else "",
            cell(r.get("theirs"), "seconds", time_text) if timed else "",
            r["theirs"]["contender"] if "theirs" in r and timed else "",
            f"**{faster['median']:.2f}** ({faster['least']:.2f} to {faster['most']:.2f})" if faster else "",
            both(r, "peak_mib", "{:.0f}".format) if timed else "", both(r, "growth", "{:.1f}".format),
            both(r, "ap", lambda ap: f"{100 * ap:.1f}"),
            f"{r['difference']:.1e}" + ("" if r["agrees"] else " **too large**") if "difference" in r else ""]) + " |")
        for name, text in r.get("failures", {}).items():
            lines.append(f"| | {name}: failed: {text.replace('|', '/')} | | | | | | | | |")
        for name in r.get("left_out", []):
            lines.append(f"| | {name}: left out, no time | | | | | | | | |")
    lines.append("")
    sections = dict.fromkeys(r["section"] for r in summary["rows"])
    for section in sections:
        ratios = [r["times_faster"]["median"] for r in summary["rows"]
                  if r["section"] == section and "times_faster" in r and not r["once"]]
        if ratios:
            lines.append(f"- {section}: {min(ratios):.2f} to {max(ratios):.2f} times faster, geometric mean "
                         f"{math.exp(statistics.fmean(map(math.log, ratios))):.2f}, {len(ratios)} cases")
    return "\n".join(lines) + "\n"
