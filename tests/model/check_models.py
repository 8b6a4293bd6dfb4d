#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Searches every state of the models in pool/ and registry/ with spin: check_models.py ROOT C_COMPILER

Each model has to hold in each of its scopes: no assertion fails, no thread is stuck, nothing goes round for ever, and
every line was reached. Then each rule that a FAULT_... of the model breaks has to be missed by a search, in the scope
given here: a model that cannot fail proves nothing. Exits with 77, which is a skipped test, where there is no spin.
"""

import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Model: scope: the faults to find there. A scope is what is compiled in, small enough to be searched in a second or two.
MODELS = {
    "pool/model/acquire.pml": {
        (): [
            "FAULT_ASKED_IS_NOT_LOOKED_FOR",
            "FAULT_OTHER_KINDS_COOL_UNSEEN",
            "FAULT_QUARANTINE_WAKES_NOBODY",
            "FAULT_QUOTA_IS_LEFT_AFTER_A_FAILED_FENCE",
            "FAULT_RELEASE_WAKES_NOBODY",
            "FAULT_ROOM_UNDER_THE_CAP_IS_NOT_TOLD",
        ],
    },
    "registry/model/frame.pml": {
        (): [
            "FAULT_CALLBACK_IS_NOT_COUNTED",
            "FAULT_CLOSE_WAITS_FOR_NOBODY",
            "FAULT_COPY_IS_NOT_FENCED",
            "FAULT_FOUND_AFTER_ITS_END",
            "FAULT_FREE_AT_RELEASE",
            "FAULT_IDLE_BEFORE_THE_SLOT_IS_BACK",
            "FAULT_ID_IS_THE_PLACE_ALONE",
            "FAULT_LOOKUP_WITHOUT_LOCK",
            "FAULT_NO_COOLDOWN",
            "FAULT_NO_FENCE_CHECK",
            "FAULT_REFERENCE_FROM_ZERO",
        ],
        ("HELD_BY_ID",): ["FAULT_HELD_AFTER_EVICTION"],
        ("CLOSED_BY_CALLBACKS",): ["FAULT_CLOSERS_WAIT_FOR_EACH_OTHER"],
    },
}

# More than any search here needs: one that comes to an end of it has not seen everything.
MOST_STEPS = "20000"
MEGABYTES = "2000"


def search(root, compiler, model, defines, cycles):
    """pan's words about the model with `defines`; with `cycles` about what goes round for ever."""
    # Compiling takes longer than most searches that end with an error.
    optimised = "-O0" if any(name.startswith("FAULT_") for name in defines) else "-O1"
    with tempfile.TemporaryDirectory() as folder:

        def run(*command):
            return subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        generated = run("spin", "-a", *(f"-D{name}" for name in defines), str(root / model))
        if generated.returncode != 0:
            return generated.stdout
        how = "-DNP" if cycles else "-DSAFETY"
        compiled = run(*compiler, "-xc", optimised, "-w", how, "-DCOLLAPSE", f"-DMEMLIM={MEGABYTES}", "-o", "pan", "pan.c")
        if compiled.returncode != 0:
            return compiled.stdout
        return run("./pan", f"-m{MOST_STEPS}", "-w20", *(["-l"] if cycles else [])).stdout


def found_an_error(words):
    """Whether the search ran and ended with an error of the model's."""
    return re.search(r"^pan:1: ", words, re.M) is not None and re.search(r"errors: 1\b", words) is not None


def why_not_whole(words, cycles):
    """What is wrong with a search that should have seen everything and found nothing; None where nothing is."""
    if re.search(r"errors: 0\b", words) is None:
        return "an error was found, or nothing was searched"
    if "Search not completed" in words or "max search depth too small" in words or "out of memory" in words:
        return "the search was not completed"
    # A search for cycles sees the same states twice, and says of none that it was not reached.
    if not cycles and re.search(r"\.pml:\d+, state \d+", words):
        return "lines were never reached"
    return None


def main():
    root, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]
    if shutil.which("spin") is None:
        print("SKIP: no spin, which searches the models: install the package spin")
        return 77

    wanted = []  # model, scope, what else is defined, whether cycles are looked for
    for model, scopes in MODELS.items():
        declared = set(re.findall(r"\bFAULT_\w+", (root / model).read_text()))
        listed = {fault for faults in scopes.values() for fault in faults}
        declared.discard("FAULT_")
        assert declared == listed, f"{model}: faults of the model and of this test differ: {declared ^ listed}"
        for scope, faults in scopes.items():
            wanted += [(model, scope, (), False), (model, scope, (), True)]
            wanted += [(model, scope, (fault,), False) for fault in faults]

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(search, root, compiler, model, scope + extra, cycles)
                    for model, scope, extra, cycles in wanted]
        for (model, scope, extra, cycles), done in zip(wanted, searches):
            words = done.result()
            if extra:
                wrong = None if found_an_error(words) else "the fault was not found"
            else:
                wrong = why_not_whole(words, cycles)
            states = re.search(r"(\S+) states, stored", words)
            what = "the fault is found" if extra else "nothing goes round for ever" if cycles else "always holds"
            print(f"{'FAIL' if wrong else 'ok'}: {model} {' '.join(scope + extra)}: {wrong or what},"
                  f" {states[1] if states else 'no'} states")
            if wrong:
                failed += 1
                print(words)
    print(f"{len(wanted)} searches, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
