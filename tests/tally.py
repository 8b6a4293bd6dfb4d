#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints "PASSED FAILED SKIPPED" for the folder of logs that `meson test` wrote.

Every case of a GoogleTest or TAP program counts, every other program counts as one. A program that
crashed or ran out of time counts as a failure more when none of its cases says so.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def plain_name(name):
    """Of a program: Meson prefixes some of its logs with "project:suite / "."""
    return name.split(" / ")[-1].split(":")[-1]


logs = pathlib.Path(sys.argv[1])
cases = {}  # by the name of the program
# The log holds what programs print, which may be no XML.
text = re.sub(r"[^\t\n\r\x20-\ufffd]", "", (logs / "testlog.junit.xml").read_text(errors="replace"))
for suite in ElementTree.fromstring(text.encode()).iter("testsuite"):
    parts = suite.get("name").split(".")
    if len(parts) > 1:  # project.program.suite for GoogleTest, project.program for TAP
        cases.setdefault(plain_name(parts[1]), []).extend(suite.iter("testcase"))

passed = failed = skipped = 0
skips = []
for line in (logs / "testlog.json").read_text().splitlines():
    program = json.loads(line)
    name = plain_name(program["name"])
    result = program["result"]
    failures = 0
    for case in cases.get(name, []):
        if case.find("failure") is not None or case.find("error") is not None:
            failures += 1
        elif case.find("skipped") is not None:
            skips.append(f"{case.get('classname')}.{case.get('name')}")
        else:
            passed += 1
    if result not in ("OK", "SKIP", "EXPECTEDFAIL"):
        failures = max(failures, 1)
    elif name not in cases:
        if result == "SKIP":
            skips.append(name)
        else:
            passed += 1
    failed += failures

for skip in skips:
    print("skipped:", skip, file=sys.stderr)
print(passed, failed, len(skips))
