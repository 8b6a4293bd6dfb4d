#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""thirdparty_test.py MESON BUILD PLUGIN GST_LAUNCH: installs the build, builds the plugin in the
folder PLUGIN against nothing but what was installed, and plays with both."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

meson, build, plugin, gst_launch = sys.argv[1:]
WIDTH, HEIGHT, FRAMES, WHITE = 64, 48, 100, 235
number = 0


def report(well, name, output=""):
    global number
    number += 1
    print(f"{'ok' if well else 'not ok'} {number} {name}", flush=True)
    if not well:
        print("\n".join("# " + line for line in output.splitlines()), flush=True)
    return well


def run(*command, environment=None):
    ran = subprocess.run(command, env=environment, text=True, timeout=120, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    return ran.returncode, ran.stdout


def end():
    print(f"1..{number}")
    sys.exit()


def play(environment, source, *consumers):
    """The messages of the consumers behind a tee."""
    branches = [f"t. ! queue max-size-buffers=1 ! {consumer}" for consumer in consumers]
    line = (f"{source} ! video/x-raw,format=NV12,width={WIDTH},height={HEIGHT} ! tee name=t "
            + " ".join(branches))
    status, output = run(gst_launch, "-m", *line.split(), environment=environment)
    seen = [dict((field, int(value)) for field, value in re.findall(r"(\w+)=\(guint64\)(\d+)", message))
            for message in re.findall(r"slotluma, (.*);", output)]
    return status, seen, output


with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder) / "installed"
    status, output = run(meson, "install", "-C", build, "--no-rebuild", "--destdir", str(root))
    if not report(status == 0, "the build is installed", output):
        end()
    # A package's place would be the prefix; here it is the folder.
    pc_files = sorted(root.rglob("*.pc"))
    for pc in pc_files:
        text = pc.read_text()
        prefix = re.search(r"^prefix=(.*)$", text, re.MULTILINE).group(1)
        pc.write_text(text.replace(f"prefix={prefix}", f"prefix={root}{prefix}", 1))
    pc_folder = next(pc.parent for pc in pc_files if pc.name == "gstreamer-nv12slot-1.0.pc")
    libraries = next(root.rglob("libgstnv12slot-1.0.so")).parent
    elements = next(root.rglob("libgstnv12slot.so")).parent

    environment = dict(os.environ)
    for variable in ("C_INCLUDE_PATH", "CPATH", "LIBRARY_PATH", "GST_REGISTRY"):
        environment.pop(variable, None)
    environment["PKG_CONFIG_PATH"] = str(pc_folder)
    third = str(pathlib.Path(folder) / "third")
    status, output = run(meson, "setup", third, plugin, environment=environment)
    if status == 0:
        status, output = run(meson, "compile", "-C", third, environment=environment)
    if not report(status == 0, "a plugin builds with pkg-config alone", output):
        end()

    environment["LD_LIBRARY_PATH"] = str(libraries)
    environment["GST_PLUGIN_PATH"] = f"{elements}:{third}"
    environment["GST_REGISTRY"] = str(pathlib.Path(folder) / "registry.bin")
    # Without the promise the cooldown would let through no more frames than the quota.
    slots = (f"videotestsrc pattern=white num-buffers={FRAMES} ! "
             f"video/x-raw,format=NV12,width={WIDTH},height={HEIGHT} ! "
             "nv12slotcopy device=-1 quota=8 on-exhausted=block timeout=2000000000 "
             "pool-cooldown=10000000000")
    status, seen, output = play(environment, slots, "slotluma", "slotluma")
    report(status == 0 and [each.get("luma") for each in seen]
           == [FRAMES * WIDTH * HEIGHT * WHITE] * 2, "both branches of a tee read every picture", output)
    report(len(seen) == 2 and [each.get("frames") for each in seen] == [FRAMES] * 2,
           "slots go back after the last branch, without a cooldown", output)
    report(len(seen) == 2 and seen[0].get("ids") == seen[1].get("ids") != 0,
           "both branches see the same frames", output)
    status, seen, output = play(
        environment, f"videotestsrc num-buffers={FRAMES}", "slotluma", "slotluma")
    report(status == 0 and [(each.get("frames"), each.get("others")) for each in seen]
           == [(0, FRAMES)] * 2, "buffers that are no slots are told from those that are", output)
end()
