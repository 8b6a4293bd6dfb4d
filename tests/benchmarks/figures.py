#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""figures.py DOCUMENT FILE: writes the figures in FILE into DOCUMENT, between the lines
<!-- figures: SECTION --> and <!-- figures end -->, and says which: SECTION is "host", or "gpu 1.22" for a machine with
a GPU and GStreamer 1.22.

FILE has what benchmark programs added to it where NV12SLOT_FIGURES named it (bars.h): a line of JSON for each
figure. Of a figure that is there twice, the later counts. All figures must be of one machine.
"""
import json
import pathlib
import re
import sys


def number(value):
    """Three digits, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    return f"{float(text):,.0f}" if abs(value) >= 100 or "e" in text else text


def table(figures):
    rows = ["| figure | measured | bar |", "|---|---|---|"]
    for figure in figures:
        bar = figure.get("bar", "")
        if bar:
            bar += ": met" if figure["met"] else ": **missed**"
        rows.append(f"| {figure['what']} | {number(figure['value'])} {figure['unit']} | {bar} |".replace("  ", " "))
    return rows


def section_of(machine):
    if "gpu" not in machine:
        return "host"
    version = re.match(r"GStreamer (\d+\.\d+)", machine.get("with", ""))
    if not version:
        sys.exit("figures.py: the figures do not say with which GStreamer they were measured")
    return f"gpu {version[1]}"


def text_of(figures):
    machines = {(figure["machine"]["cpu"], figure["machine"].get("gpu"), figure["machine"].get("with"))
                for figure in figures}
    if len(machines) != 1:
        sys.exit(f"figures.py: the figures are of {len(machines)} machines: {machines}")
    machine = figures[0]["machine"]
    days = sorted({figure["machine"]["date"] for figure in figures})
    where = [machine.get("gpu"), f"{machine['cores']} cores of {machine['cpu'] or 'an unnamed processor'}",
             machine.get("with"), days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"]
    lines = ["; ".join(filter(None, where)) + ".", ""]
    programs = list(dict.fromkeys(figure["program"] for figure in figures))
    for program in programs:
        lines += [f"`{program}`:", "", *table([figure for figure in figures if figure["program"] == program]), ""]
    return lines


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    document, source = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    by_name = {}
    for line in source.read_text().splitlines():
        figure = json.loads(line)
        by_name[figure["program"], figure["what"]] = figure
    if not by_name:
        sys.exit(f"figures.py: {source} has no figures")
    name = section_of(next(iter(by_name.values()))["machine"])
    begin, end = f"<!-- figures: {name} -->", "<!-- figures end -->"
    text = document.read_text()
    if begin not in text:
        sys.exit(f"figures.py: {document} has no line {begin}")
    new = "\n".join([begin, *text_of(list(by_name.values())), end])
    document.write_text(re.sub(re.escape(begin) + r".*?" + re.escape(end), lambda _: new, text, count=1,
                               flags=re.DOTALL))
    print(f"{document}: section {name}")


main()
