#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""figures_test.py BENCHMARK: what figures.py makes of a document, and what it refuses. Says TAP.

BENCHMARK is a program with bars, for a moment of it.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = pathlib.Path(__file__).with_name("figures.py")
DOCUMENT = """# Title

<!-- figures: host -->
old
<!-- figures end -->

between

<!-- figures: gpu 1.22 -->
kept
<!-- figures end -->
"""
HOST = {"cpu": "Some CPU", "cores": 2, "date": "2026-01-02"}
number = 0


def figure(what="time of a copy", value=1234.5, machine=HOST, **more):
    return {"program": "copy_benchmark", "what": what, "value": value, "unit": "µs", "machine": machine} | more


def run(folder, figures, document=DOCUMENT):
    """What the document holds then, and what was said if it failed."""
    page, source = folder / "page.md", folder / "figures.json"
    page.write_text(document)
    source.write_text("".join(json.dumps(each) + "\n" for each in figures))
    done = subprocess.run([sys.executable, PROGRAM, page, source], capture_output=True, text=True)
    return page.read_text(), "" if done.returncode == 0 else done.stderr


def report(is_so, what, seen=""):
    global number
    number += 1
    print(f"{'ok' if is_so else 'not ok'} {number} {what}")
    if not is_so:
        print("#", str(seen).replace("\n", "\n# "))


print("1..11")
with tempfile.TemporaryDirectory() as name:
    at = pathlib.Path(name)

    page, said = run(at, [figure(bar="1.0 x", met=True), figure("a ratio", 0.0123456, bar="2", met=False)])
    rows = ["Some CPU", "2026-01-02", "| time of a copy | 1,230 µs | 1.0 x: met |", "| a ratio | 0.0123 µs | 2: **missed** |"]
    report(all(row in page for row in rows) and not said, "figures are written with their bars and machine", page + said)
    report(page.startswith("# Title\n\n") and "old" not in page and "between" in page and "kept" in page,
           "nothing but the section changes", page)
    again, said = run(at, [figure(bar="1.0 x", met=True), figure("a ratio", 0.0123456, bar="2", met=False)],
                      document=page)
    report(again == page and not said, "the same figures change nothing", again + said)

    page, said = run(at, [figure(value=1), figure(value=2)])
    report("| 2 µs |" in page and "| 1 µs |" not in page, "the later of two counts", page)

    page, said = run(at, [figure(machine=HOST), figure("another", machine=HOST | {"date": "2026-01-04"})])
    report("2026-01-02 to 2026-01-04" in page, "days may differ", page)

    page, said = run(at, [figure(), figure("another", machine=HOST | {"cpu": "Other CPU"})])
    report(page == DOCUMENT and "2 machines" in said, "figures of two machines are refused", page + said)
    page, said = run(at, [])
    report(page == DOCUMENT and "no figures" in said, "no figures are refused", page + said)
    gpu = HOST | {"gpu": "Some GPU", "with": "GStreamer 1.22.0, FFmpeg"}
    page, said = run(at, [figure(machine=gpu)])
    report("kept" not in page and "old" in page and "Some GPU" in page, "a GPU's have a section for each GStreamer",
           page + said)
    page, said = run(at, [figure(machine=gpu | {"with": "GStreamer 1.99.1"})])
    report(page == DOCUMENT and "gpu 1.99" in said, "a section that is not there is refused", page + said)
    page, said = run(at, [figure(machine=HOST | {"gpu": "Some GPU"})])
    report(page == DOCUMENT and "which GStreamer" in said, "a GPU's without a GStreamer are refused", page + said)

    source = at / "measured.json"
    subprocess.run([sys.argv[1], "--benchmark_min_time=0.001", "--benchmark_filter=-Gst.*threads:8"],
                   env=os.environ | {"NV12SLOT_FIGURES": str(source)}, stdout=subprocess.DEVNULL)
    measured = [json.loads(line) for line in source.read_text().splitlines()]
    page, said = run(at, measured)
    report(measured and all(f"| {each['what']} | " in page for each in measured), "a benchmark's own figures are written",
           page + said)
