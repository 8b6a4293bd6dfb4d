#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""soak_test.py PROGRAM [device] [sanitized]: runs nv12slot-soak for a short while, well and with something broken
on purpose, and reads its reports. The arguments say that there is a CUDA device to run on, and that the program was
built with a sanitizer."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

soak = sys.argv[1]
number = 0
# A machine that does other things too may be late, which is not what this is about.
PATIENT = ["--gap-limit", "3000", "--slow-frames", "1000", "--stop-limit", "5000"]
# The element's own times are for real cameras.
QUICK = ["--set", "packet-timeout=1000000000", "--set", "frame-timeout=2000000000",
         "--set", "connect-timeout=5000000000", "--set", "backoff-min=100000000",
         "--set", "backoff-max=1000000000"]
HOST = ["--device", "-1"]
# A sanitizer keeps what was freed and the stacks of threads that ended: memory then grows for longer than a test runs.
if "sanitized" in sys.argv[2:]:
    PATIENT += ["--memory-limit", "1000"]
# One of GStreamer 1.22's own elements says once in a while, as a server is killed, that an event of its own has no
# sequence number (gst_event_set_seqnum), which nothing here sets.
os.environ.pop("G_DEBUG", None)


def report(well, name, output=""):
    global number
    number += 1
    print(f"{'ok' if well else 'not ok'} {number} {name}", flush=True)
    if not well:
        print("\n".join("# " + line for line in str(output).splitlines()), flush=True)


def run(*arguments):
    """Status, the JSON report, the page, and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        reports = pathlib.Path(folder)
        process = subprocess.run([soak, "--json", str(reports / "json"), "--html", str(reports / "html"),
                                  *PATIENT, *QUICK, *arguments],
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = {name: (reports / name).read_text() if (reports / name).exists() else ""
                for name in ("json", "html")}
        return process.returncode, json.loads(text["json"] or "{}"), text["html"], process.stdout


def failed(seen):
    return [line["id"] for line in seen.get("checklist", []) if not line["pass"]]


def descendants(process):
    """Process ids of what `process` has started, and of what that has."""
    found = []
    for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(child)]
    return found


def start(*arguments):
    """A soak whose cameras run, with its process and its server's."""
    process = subprocess.Popen([soak, *PATIENT, *QUICK, *arguments], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    while " fps  faults" not in process.stdout.readline():
        time.sleep(0.01)
    return process, descendants(process.pid)


if "device" in sys.argv[2:]:
    # What the stand-in decodes shows nothing of damage, so bytes are left alone.
    status, seen, page, output = run("--device", "0", "--simulate", "2", "--seconds", "20", "--warm-up", "6",
                                     "--fault-every", "4", "--faults", "cut,recreate", "--kernel", "2")
    report(status == 0 and failed(seen) == [], "cameras on a device come and go and every line passes", output)
    record = seen.get("record", {"cameras": [], "readers": {}, "end": {}})
    report(all(camera["paths"] == ["nvdec"] for camera in record["cameras"])
           and record["readers"].get("checked", 0) > 0 and record["readers"].get("late_checked", 0) > 0,
           "kernels read the frames, in time and late", output)
    report("In use on the device" in page, "the page shows the device's memory", output)
    print(f"1..{number}")
    sys.exit()

status, seen, page, output = run(*HOST, "--simulate", "3", "--seconds", "34", "--warm-up", "6",
                                 "--fault-every", "4")
report(status == 0 and seen.get("pass") and failed(seen) == [], "every line passes", output)
record = seen.get("record", {"faults": [], "readers": {}, "cameras": []})
report({fault["kind"] for fault in record["faults"]} == {"cut", "reset", "stall", "flip", "kill", "recreate"}
       and all(fault["recovered"] for fault in record["faults"]), "every kind of fault came and was recovered from",
       record["faults"])
report(record["readers"].get("outlived", 0) > 0 and record["readers"].get("late_checked", 0) > 0,
       "readers held frames longer than their camera lived, and read some late", record["readers"])
report(len(record["cameras"]) == 3 and all(camera["samples"] for camera in record["cameras"])
       and "Processing time of cam2" in page and "<script" not in page, "the page has a chart of each camera", output)

# Whoever reads a frame that was let go finds another picture there, without a cooldown.
status, seen, page, output = run(*HOST, "--simulate", "2", "--seconds", "10", "--warm-up", "3", "--faults", "none",
                                 "--pool-cooldown", "0", "--late", "300")
report(status == 1 and failed(seen) == ["contents"] and "ms after it was let go" in output,
       "without a cooldown late readers see other pictures, and that line fails", output)

status, seen, page, output = run(*HOST, "--simulate", "2", "--seconds", "8", "--warm-up", "3", "--faults", "none",
                                 "--pool-cap", "4")
report(status == 1 and "pool-full" in failed(seen), "a pool that is too small fails that line", output)

status, seen, page, output = run(*HOST, "--uri", "rtsp://me:secret@127.0.0.1:1/none", "--seconds", "6",
                                 "--warm-up", "2", "--faults", "cut", "--recovery-limit", "2")
report(status == 1 and "frames" in failed(seen), "a camera that is not there fails that line", output)
report("secret" not in output + page + json.dumps(seen), "no password gets into a report", output)

process, (child, *_) = start(*HOST, "--simulate", "1", "--seconds", "600", "--fault-every", "600")
os.kill(child, signal.SIGKILL)
output = process.communicate(timeout=60)[0]
report(process.returncode == 1 and "FAIL clean exit" in output and "Killed" in output,
       "a soak that crashes is reported on", output)

process, started = start(*HOST, "--simulate", "1", "--seconds", "600", "--fault-every", "600")
process.send_signal(signal.SIGINT)
output = process.communicate(timeout=60)[0]
report("ended early" in output and "PASS clean exit" in output, "Ctrl-C ends it with its report", output)
report(len(started) == 2 and not any(pathlib.Path(f"/proc/{one}").exists() for one in started),
       "nothing is left running", started)

process, started = start(*HOST, "--simulate", "1", "--seconds", "600", "--fault-every", "600")
process.kill()
process.wait()
end = time.monotonic() + 30
while any(pathlib.Path(f"/proc/{one}/fd").exists() for one in started) and time.monotonic() < end:
    time.sleep(0.1)
report(time.monotonic() < end, "what it started ends with it", started)

with tempfile.TemporaryDirectory() as folder:
    saved, page = pathlib.Path(folder) / "soak.json", pathlib.Path(folder) / "soak.html"
    saved.write_text(json.dumps({"record": record}))
    again = subprocess.run([soak, "report", str(saved), "--html", str(page)], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    report(again.returncode == 0 and "</html>" in page.read_text(), "a page can be made of a report later", again.stdout)

for arguments, message in (
        ([], "no cameras; give --simulate N or --uri URI"),
        (["--simulate", "1", "--size", "321x240"], "two even numbers"),
        (["--simulate", "1", "--faults", "cut,earthquake"], "earthquake is no fault; there are cut,"),
        (["--simulate", "1", "--set", "packet-timeout"], "NAME=VALUE"),
        (["--simulate", "1", "--set", "no-such=1"], "nv12slotsrc has no property no-such"),
        (["--simulate", "1", "--seconds", "10", "--warm-up", "9"], "leaves no time after the warm-up"),
        (["--simulate", "1", "--json", "/no/such/folder/soak.json"], "cannot write /no/such/folder/soak.json"),
        (["report", "/dev/null"], "no report of nv12slot-soak")):
    wrong = subprocess.run([soak, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    report(wrong.returncode == 2 and message in wrong.stdout, f"a mistake is told: {message}", wrong.stdout)
print(f"1..{number}")
