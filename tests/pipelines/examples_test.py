#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples_test.py MEAN_LUMA [PLANES TENSORS]: runs the programs in pipelines/examples on the host and, where
CUDA works, on device 0. PLANES and TENSORS are given where there are bindings for Python."""
import os
import subprocess
import sys

mean_luma, *in_python = sys.argv[1:]
# 235 is white, 128 no colour.
SOURCE = "videotestsrc pattern=white num-buffers={} ! video/x-raw,format=NV12,width=72,height=48"
number = 0


def report(well, name, output="", skip=None):
    global number
    number += 1
    print(f"{'ok' if well else 'not ok'} {number} {name}" + (f" # SKIP {skip}" if skip else ""), flush=True)
    if not well:
        print("\n".join("# " + line for line in output.splitlines()), flush=True)


def run(*command):
    ran = subprocess.run(command, text=True, timeout=120, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return ran.returncode, ran.stdout


def is_in_place(device):
    status, output = run(sys.executable, os.path.join(os.path.dirname(__file__), "in_place.py"),
                         os.path.dirname(planes), device)
    report(status == 0 and output == "in place\n", "planes and tensors are read where they are", output)


def python_has(code):
    return run(sys.executable, "-c", code)[0] == 0


status, output = run(mean_luma, SOURCE.format(20))
report(status == 0 and output.startswith("20 frames") and output.endswith("mean luma 235.0\n"),
       "mean-luma reads every picture", output)
on_device = " 20 of them read on device 0" in output
report(True, "mean-luma reads with its kernel", skip=None if on_device else "no CUDA device here")
status, output = run(mean_luma, "videotestsrc num-buffers=1 ! nosuchelement")
report(status == 1 and "nosuchelement" in output, "mean-luma says why it cannot play", output)

if in_python:
    planes, tensors = in_python
    if python_has("import gi, numpy; numpy.from_dlpack"):
        status, output = run(sys.executable, planes, SOURCE.format(20))
        report(status == 0 and output == "20 frames, mean luma 235.0, mean chroma 128.0\n",
               "planes.py reads with NumPy", output)
        # More frames than slots: each array has given its slot back.
        status, output = run(sys.executable, planes, SOURCE.format(200))
        report(status == 0 and output.startswith("200 frames"), "planes.py keeps no slot", output)
        status, output = run(sys.executable, tensors, SOURCE.format(70), SOURCE.format(70))
        # 43 of 64 rows are white, the others the letterbox's grey.
        report(status == 0 and output.splitlines() == [f"camera{n}: 70 pictures, mean 0.819" for n in (0, 1)],
               "tensors.py reads with NumPy and keeps no slot", output)
        is_in_place("-1")
    else:
        report(True, "planes.py and tensors.py read with NumPy", skip="no NumPy 1.23, or no PyGObject")
    if python_has("import gi, torch; assert torch.cuda.is_available()"):
        status, output = run(sys.executable, planes, "--device", "0", SOURCE.format(20))
        report(status == 0 and output == "20 frames, mean luma 235.0, mean chroma 128.0\n",
               "planes.py reads with PyTorch", output)
        status, output = run(sys.executable, tensors, "--device", "0", SOURCE.format(20), SOURCE.format(20))
        report(status == 0 and output.splitlines() == [f"camera{n}: 20 pictures, mean 0.819" for n in (0, 1)],
               "tensors.py reads with PyTorch", output)
        is_in_place("0")
    else:
        report(True, "planes.py and tensors.py read with PyTorch", skip="no PyTorch with a CUDA device")
print(f"1..{number}")
