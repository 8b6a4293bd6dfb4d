#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""install_test.py [--fortified] MESON BUILD SOURCE GST_INSPECT PARTS: installs the build and looks at what is
there: which files, what they export, how they are hardened, and which version they say they are.

PARTS are the parts of the build that can be left out, separated by commas; --fortified says that it was
compiled with _FORTIFY_SOURCE.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

arguments = sys.argv[1:]
is_fortified = arguments[0] == "--fortified"
meson, build, source, gst_inspect, parts = arguments[is_fortified:]
source = pathlib.Path(source)
parts = parts.split(",")
version = re.search(r"^ +version: '(.*)'", (source / "meson.build").read_text(), re.MULTILINE).group(1)
number = 0


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, timeout=120, stdout=subprocess.PIPE, **options).stdout


def report(faults, name):
    """Passes where there are no faults."""
    global number
    number += 1
    print(f"{'not ok' if faults else 'ok'} {number} {name}")
    for fault in faults:
        print("#", fault, flush=True)


def differences(found, expected):
    return ([f"{each} is there" for each in sorted(set(found) - set(expected))]
            + [f"{each} is not there" for each in sorted(set(expected) - set(found))])


def expected_files(lib):
    files = [f"share/doc/nv12slot/{each.relative_to(source)}"
             for folder in ("docs", "pipelines/examples") for each in (source / folder).iterdir()
             if each.name != "meson.build"]
    for line in (source / "tests" / "pipelines" / "installed.txt").read_text().splitlines():
        part, name = re.fullmatch(r"(?:\[(\w+)\] )?(\S.*)", line).groups()
        if not line.startswith("#") and (part is None or part in parts):
            files.append(name.replace("LIB", lib).replace("VERSION", version))
    return files


def exports(library):
    """The demangled names that a library defines for others."""
    return [line.split(maxsplit=2)[2] for line in run("nm", "-DC", "--defined-only", library).splitlines()]


def c_functions(headers):
    text = "\n".join(header.read_text() for header in headers)
    return re.findall(r"GST_NV12_SLOT_API\s[^;{]*?\b(gst_\w+)\s*\(", text)


def cpp_entities(headers):
    """The classes that headers define, and the functions that they declare outside of classes."""
    text = "\n".join(header.read_text() for header in headers)
    classes = re.findall(r"^(?:class|struct) (?:\w+\([^;{]*?\)+ |\w+ )*?(\w+)(?: final)?(?: :[^;{]*)? \{$", text,
                         re.MULTILINE)
    functions = re.findall(r"^(?!inline|using|template|constexpr)[\w\[].*?\b(\w+)\([^{}]*?\);$", text, re.MULTILINE)
    return classes, functions


def entity(symbol, namespace):
    """nv12slot::Lease::release() and the vtable for nv12slot::Lease are of Lease; of what is outside of the
    namespace, the whole."""
    inside = re.match(fr"(?:vtable for |typeinfo for |typeinfo name for )?{namespace}::(\w+)", symbol)
    return inside.group(1) if inside else symbol


def export_faults(root, lib):
    include = root / "include"
    classes, functions = cpp_entities((include / "nv12slot").glob("*.h"))
    faults = []
    # The pool's library: what is exported is declared, and each function that is declared is exported.
    symbols = exports(root / lib / "libnv12slot.so")
    found = [entity(symbol, "nv12slot") for symbol in symbols]
    faults += [f"libnv12slot exports {symbol}, which no header has" for symbol, name in zip(symbols, found)
               if name not in classes + functions]
    faults += [f"libnv12slot does not export {name}()" for name in functions if name not in found]
    # The C API; and in nv12slot::gst and as the debug category what the plugin needs, which is marked too.
    symbols = exports(root / lib / "libgstnv12slot-1.0.so")
    api = c_functions((include / "gstreamer-1.0" / "gst" / "nv12slot").glob("*.h"))
    faults += ["libgstnv12slot-1.0: " + each for each in differences(
        [symbol for symbol in symbols if "::" not in symbol], api + ["gst_nv12_slot_debug"])]
    private = "\n".join(header.read_text() for header in (source / "gst").glob("*.h"))
    marked = set(re.findall(r"GST_NV12_SLOT_API (?:[\w:<>*& ]*?[ *&])?(\w+)(?:\(| \{)", private))
    seen = {entity(symbol, "nv12slot::gst") for symbol in symbols if "::" in symbol}
    faults += ["libgstnv12slot-1.0, for the plugin: " + each
               for each in differences(seen, marked - {"GST_DEBUG_CATEGORY_EXTERN"})]
    plugin = exports(root / lib / "gstreamer-1.0" / "libgstnv12slot.so")
    return faults + ["the plugin: " + each for each in differences(
        plugin, ["gst_plugin_nv12slot_get_desc", "gst_plugin_nv12slot_register"])]


def binaries(root, lib):
    return [each for folder in (root / lib, root / "bin") for each in sorted(folder.rglob("*"))
            if each.is_file() and not each.is_symlink() and each.read_bytes()[:4] == b"\x7fELF"]


def hardening_faults(binary):
    segments, dynamic = run("readelf", "-lW", binary), run("readelf", "-dW", binary)
    imports = run("nm", "-D", "--undefined-only", binary)
    faults = []
    if "GNU_RELRO" not in segments:
        faults.append("its tables stay writable (RELRO)")
    if not re.search(r"\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", dynamic):
        faults.append("addresses are looked up late (BIND_NOW)")
    if not re.search(r"GNU_STACK .* RW +0x", segments):
        faults.append("its stack can be executed (GNU_STACK)")
    if "TEXTREL" in dynamic or re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        faults.append("it is changed as it is loaded, or looks for libraries in folders of its own")
    if "__stack_chk_fail" not in imports:
        faults.append("its stack is not protected (-fstack-protector-strong)")
    if binary.parent.name == "bin" and not re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic):
        faults.append("it is always loaded to the same address (PIE)")
    return [f"{binary.name}: {fault}" for fault in faults]


def fortify_faults(all_binaries):
    """Which calls are checked depends on the sizes that the compiler knows: in all there must be some."""
    imports = "".join(run("nm", "-D", "--undefined-only", each) for each in all_binaries)
    return [] if re.search(r" __\w+_chk\b", imports) else ["no call is checked (_FORTIFY_SOURCE)"]


def version_faults(root, lib):
    said = {name: re.search(r"^Version: (.*)$", (root / lib / "pkgconfig" / name).read_text(), re.MULTILINE).group(1)
            for name in ("nv12slot.pc", "gstreamer-nv12slot-1.0.pc")}
    header = (root / "include/gstreamer-1.0/gst/nv12slot/nv12slot-version.h").read_text()
    said["nv12slot-version.h"] = ".".join(
        re.search(fr"#define GST_NV12_SLOT_VERSION_{part} (\d+)", header).group(1)
        for part in ("MAJOR", "MINOR", "MICRO"))
    environment = dict(os.environ, LD_LIBRARY_PATH=str(root / lib))
    plugin = run(gst_inspect, root / lib / "gstreamer-1.0" / "libgstnv12slot.so", env=environment)
    said["the plugin"] = re.search(r"^ +Version +(\S+)$", plugin, re.MULTILINE).group(1)
    if "introspection" in parts:
        gir = (root / "share/gir-1.0/GstNv12Slot-1.0.gir").read_text()
        said["the GIR"] = ".".join(
            re.search(fr'<constant name="VERSION_{part}"\s+value="(\d+)"', gir).group(1)
            for part in ("MAJOR", "MINOR", "MICRO"))
    if "soak" in parts:
        said["nv12slot-soak"] = run(root / "bin" / "nv12slot-soak", "--version", env=environment).split()[-1]
    changelog = (source / "debian" / "changelog").read_text()
    said["debian/changelog"] = re.match(r"nv12slot \((.*?)(?:-\d+)?\)", changelog).group(1)
    return [f"{each} says {value}, not {version}" for each, value in said.items() if value != version]


with tempfile.TemporaryDirectory() as folder:
    run(meson, "install", "-C", build, "--no-rebuild", "--destdir", folder)
    root = next(pathlib.Path(folder).rglob("include")).parent
    lib = str(next(root.rglob("libnv12slot.so")).parent.relative_to(root))
    found = [str(each.relative_to(root)) for each in root.rglob("*") if not each.is_dir()]
    report(differences(found, expected_files(lib)), "what is installed is what should be")
    report(export_faults(root, lib), "libraries export what their headers declare, and nothing else")
    all_binaries = binaries(root, lib)
    report([fault for each in all_binaries for fault in hardening_faults(each)],
           f"{len(all_binaries)} libraries and programs are hardened")
    if is_fortified:
        report(fortify_faults(all_binaries), "calls of the C library are checked")
    report(version_faults(root, lib), f"everything says that it is {version}")
print(f"1..{number}")
