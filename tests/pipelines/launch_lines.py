#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""launch_lines.py GST_LAUNCH [--without ELEMENT,ELEMENT] DOCUMENT...: runs every gst-launch-1.0 line of
the documents. A line fails that warns, ends badly, or leaves an object of GStreamer's behind.

Lines run in order in one empty folder, so that the first can make the file that the others read. A
line whose elements or device are not on this machine is skipped, visibly. Elements of ours must be there,
but for those that are not in this build.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

launch, *documents = sys.argv[1:]
not_built = documents[1].split(",") if documents[0] == "--without" else []
documents = documents[2:] if not_built else documents
inspect = shutil.which("gst-inspect-1.0")

lines = []
for document in documents:
    text = pathlib.Path(document).read_text()
    for line in re.findall(r"^(?:\$ )?gst-launch-1\.0 (.*)$", text, re.MULTILINE):
        lines.append((pathlib.Path(document), line))

# One program tells whether an element is there; its links say what has to be asked for.
known = {}


def is_installed(element):
    if element not in known:
        # Without a version it means GStreamer's own, which ours is not.
        known[element] = subprocess.run(
            [inspect, "--exists", "--atleast-version=0.0.0", element]).returncode == 0
    return known[element]


def reason_to_skip(line):
    for part in line.split("!"):
        words = [word for word in part.split() if not word.startswith("-")]
        element = next((word for word in words if re.fullmatch(r"[a-z][a-z0-9_]*", word)), None)
        if element in not_built:
            return f"{element} is not in this build"
        if element and not element.startswith("nv12slot") and not is_installed(element):
            return f"no element {element} here"
    if "device=0" in line and not has_gpu():
        return "no CUDA device here"
    return None


def has_gpu():
    return is_installed("cudaupload")


print(f"1..{len(lines)}")
with tempfile.TemporaryDirectory() as folder:
    for number, (document, line) in enumerate(lines, 1):
        name = f"{document.parent.name}/{document.name}: {line}".replace("#", "")
        reason = reason_to_skip(line)
        if reason:
            print(f"ok {number} {name} # SKIP {reason}", flush=True)
            continue
        traced = pathlib.Path(folder, f"{number}.trace")
        # What is alive when GStreamer goes is written there.
        env = {**os.environ, "GST_TRACERS": "leaks", "GST_DEBUG": "GST_TRACER:7", "GST_DEBUG_NO_COLOR": "1",
               "GST_DEBUG_FILE": str(traced)}
        run = subprocess.run([launch, "-q", *line.replace("$PWD", folder).split()], cwd=folder, text=True, timeout=60,
                             env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        left = re.findall(r"object-alive, type-name=\(string\)(?!%s).*", traced.read_text())
        well = run.returncode == 0 and "WARN" not in run.stdout and "CRITICAL" not in run.stdout and not left
        print(f"{'ok' if well else 'not ok'} {number} {name}", flush=True)
        if not well:
            print(re.sub("^", "# ", "\n".join([run.stdout, *left]), flags=re.MULTILINE), flush=True)
