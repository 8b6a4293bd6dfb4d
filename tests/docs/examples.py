#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples.py [--python] BUILD DOCUMENT...: compiles and runs the programs in the documents.

A program is a ```c, ```cpp or ```python block whose first line is a comment that begins with its file
name. For C and C++ the next ```sh block has the line that compiles it; pkg-config finds the libraries in
the build folder. Those in Python are run where there are bindings (--python).
"""
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

arguments = sys.argv[1:]
is_bound = arguments[0] == "--python"
build, *documents = arguments[1:] if is_bound else arguments
has_bindings = is_bound and importlib.util.find_spec("gi") is not None
build = pathlib.Path(build)
environment = dict(os.environ, PKG_CONFIG_PATH=str(build / "meson-uninstalled"))
blocks = []
for document in documents:
    blocks += re.findall(r"^```(c|cpp|sh|python)\n(.*?)^```$", pathlib.Path(document).read_text(),
                         re.MULTILINE | re.DOTALL)

programs = []
for (language, text), (_, following) in zip(blocks, [*blocks[1:], ("", "")]):
    if language != "sh":
        name = re.match(r"(?:/\*|//|#) (\S+):", text).group(1)
        programs.append((name, text, None if language == "python" else following.strip()))

print(f"1..{len(programs)}")
with tempfile.TemporaryDirectory() as folder:
    for number, (name, text, command) in enumerate(programs, 1):
        path = pathlib.Path(folder) / name
        path.write_text(text)
        if command is None:
            if not has_bindings:
                print(f"ok {number} {name} # SKIP no bindings for Python", flush=True)
                continue
            command, program = ":", [sys.executable, path]
        else:
            program = [path.with_suffix("")]
        compiled = subprocess.run(command.replace(" -o", " -Wall -Wextra -Werror -o", 1), shell=True,
                                  cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        output, status = compiled.stdout, compiled.returncode
        if status == 0:
            ran = subprocess.run(program, cwd=folder, text=True, timeout=60,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, status = output + ran.stdout, ran.returncode
        print(f"{'ok' if status == 0 else 'not ok'} {number} {name}", flush=True)
        if status != 0:
            print(re.sub("^", "# ", output, flags=re.MULTILINE), flush=True)
