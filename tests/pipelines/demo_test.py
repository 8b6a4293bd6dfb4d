#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""demo_test.py PROGRAM [nv12slotdec [device]]: runs the demo for a few seconds and reads its summary.
The second argument says that nv12slotdec was built, the third that there is a CUDA device to decode on."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

demo = sys.argv[1]
has_slot_decoder = "nv12slotdec" in sys.argv[2:]
number = 0


def report(well, name, output=""):
    global number
    number += 1
    print(f"{'ok' if well else 'not ok'} {number} {name}", flush=True)
    if not well:
        print("\n".join("# " + line for line in output.splitlines()), flush=True)


def run(*arguments):
    with tempfile.TemporaryDirectory() as folder:
        summary = pathlib.Path(folder) / "summary.json"
        process = subprocess.run([demo, "--json", str(summary), *arguments], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = json.loads(summary.read_text()) if summary.exists() else {}
        return process.returncode, found, process.stdout


if "device" in sys.argv[3:]:
    status, seen, output = run("--device", "0", "--cameras", "2", "--seconds", "8", "--recreate-every", "1.5")
    report(status == 0 and seen["ok"] and seen["paths"] == ["nvdec"]
           and "nv12slotdec, path nvdec: NVDEC decodes it" in output, "NVDEC decodes where it can", output)
    # One that is re-created before its first key picture came has asked for no decoder.
    report(0 < seen.get("decoders_reused", 0) <= seen.get("recreated", 0) and seen["decoders_opened"] == 2,
           "a camera that comes back finds its decoder open", output)
    print(f"1..{number}")
    sys.exit()

common = ["--device", "-1", "--cameras", "2"]
status, seen, output = run(*common, "--seconds", "8", "--recreate-every", "2.5", "--cut-every", "1.2")
report(status == 0 and seen["ok"], "cameras come and go and all is well", output)
if has_slot_decoder:
    report(seen.get("cuts", 0) > 0 and seen.get("reconnects", 0) > 0,
           "cameras whose connection is cut come back by themselves", output)
# How many there are depends on the machine.
report(0 < seen.get("checked", 0) == seen.get("frames") and seen.get("changed") == 0,
       "held frames stay as they are", output)
report(seen.get("recreated", 0) > 0 and seen.get("outlived", 0) > 0,
       "frames outlive their cameras", output)
if has_slot_decoder:
    report(seen.get("decoder") == "nv12slotdec" and seen.get("paths") == ["software"]
           and "nv12slotdec, path software: there is no CUDA device" in output,
           "nv12slotdec decodes by default, and says with what and why", output)
else:
    report(seen.get("decoder") not in (None, "nv12slotdec") and "nv12slotdec was not built" in output,
           "without nv12slotdec another decoder does, and the demo says so", output)

status, seen, output = run(*common, "--seconds", "2", "--decoder", "avdec_h264")
report((status == 0 and seen["ok"] and seen["decoder"] == "avdec_h264" and seen["paths"] == ["copy"])
       or "no element avdec_h264" in output, "--decoder chooses another one", output)

status, seen, output = run(*common, "--decoder", "nosuchdec")
report(status == 1 and "no element nosuchdec" in output, "a missing decoder is named", output)

status, seen, output = run(*common, "--seconds", "3", "--fast", "--hold", "20")
report(status == 0 and 0 < seen["checked"] == seen["frames"], "unpaced, cameras wait for slots", output)

status, seen, output = run(*common, "no-such-file.mp4")
report(status == 1 and "no-such-file.mp4" in output, "a missing file is named", output)

process = subprocess.Popen([demo, *common, "--seconds", "600"], text=True, stdout=subprocess.PIPE)
played = set()
while len(played) < 2:
    played |= set(re.findall(r"(cam\d) [1-9]\d* fps", process.stdout.readline()))
process.send_signal(signal.SIGINT)
output = process.communicate(timeout=30)[0]
report(process.returncode == 0 and "all is well" in output, "Ctrl-C ends it with a summary", output)
print(f"1..{number}")
