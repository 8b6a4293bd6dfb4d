#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples.py BUILD DOCUMENT...: compiles and runs the programs in the documents.

A program is a ```c or ```cpp block whose first line is a comment that begins with its file name. The
next ```sh block has the line that compiles it; pkg-config finds the libraries in the build folder.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1])
environment = dict(os.environ, PKG_CONFIG_PATH=str(build / "meson-uninstalled"))
blocks = []
for document in sys.argv[2:]:
    blocks += re.findall(r"^```(c|cpp|sh)\n(.*?)^```$", pathlib.Path(document).read_text(),
                         re.MULTILINE | re.DOTALL)

programs = []
for (language, text), (_, following) in zip(blocks, blocks[1:]):
    if language != "sh":
        name = re.match(r"(?:/\*|//) (\S+):", text).group(1)
        programs.append((name, text, following.strip()))

print(f"1..{len(programs)}")
with tempfile.TemporaryDirectory() as folder:
    for number, (name, text, command) in enumerate(programs, 1):
        path = pathlib.Path(folder) / name
        path.write_text(text)
        compiled = subprocess.run(command.replace(" -o", " -Wall -Wextra -Werror -o", 1), shell=True,
                                  cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        output, status = compiled.stdout, compiled.returncode
        if status == 0:
            ran = subprocess.run([path.with_suffix("")], cwd=folder, text=True, timeout=60,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, status = output + ran.stdout, ran.returncode
        print(f"{'ok' if status == 0 else 'not ok'} {number} {name}", flush=True)
        if status != 0:
            print(re.sub("^", "# ", output, flags=re.MULTILINE), flush=True)
