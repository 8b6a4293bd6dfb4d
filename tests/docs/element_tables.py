#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""element_tables.py [--update] PAGE...: holds the pages of elements to what the elements say of themselves.

A page is named after its element. After a line <!-- element_tables.py: KIND --> it has what GStreamer was
told, as gst-inspect-1.0 shows it:

pads        a code block: each pad template with its caps
properties  a table, of which the columns `unit` and `effect` are written by hand
signals     a table, of which the column `effect` is written by hand

A page that says something else fails; --update writes it anew and keeps what is written by hand. For a
property that is new the blurb stands in until somebody writes more.
"""
import ctypes
import difflib
import pathlib
import re
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GObject, Gst  # noqa: E402

# Ranges that tell nothing.
WHOLE = {"gint": [(-2**31, 2**31 - 1)], "guint": [(0, 2**32 - 1)], "guint64": [(0, 2**64 - 1), (0, 2**63 - 1)]}


def code(text):
    return f"`{text}`"


def duration(nanoseconds):
    for size, unit in ((10**9, "s"), (10**6, "ms"), (10**3, "µs")):
        if nanoseconds >= size and nanoseconds % size == 0:
            return f" ({nanoseconds // size} {unit})"
    return ""


def is_a(spec, name):
    return spec.value_type.is_a(GObject.type_from_name(name))


class Choice(ctypes.Structure):
    """A GEnumValue, and a GFlagsValue."""
    _fields_ = [("value", ctypes.c_int), ("name", ctypes.c_char_p), ("nick", ctypes.c_char_p)]


class EnumClass(ctypes.Structure):
    _fields_ = [("type", ctypes.c_size_t), ("minimum", ctypes.c_int), ("maximum", ctypes.c_int),
                ("count", ctypes.c_uint), ("choices", ctypes.POINTER(Choice))]


class FlagsClass(ctypes.Structure):
    _fields_ = [("type", ctypes.c_size_t), ("mask", ctypes.c_uint), ("count", ctypes.c_uint),
                ("choices", ctypes.POINTER(Choice))]


def choices(spec, layout):
    """The nicks by value, of an enum or flags: PyGObject from 3.50 on does not tell them."""
    ref = ctypes.CDLL("libgobject-2.0.so.0").g_type_class_ref
    ref.restype, ref.argtypes = ctypes.POINTER(layout), [ctypes.c_size_t]
    of = ref(hash(spec.value_type)).contents
    return {of.choices[i].value: of.choices[i].nick.decode() for i in range(of.count)}


def type_of(spec):
    """In words, with the values that it can have."""
    name = spec.value_type.name
    if is_a(spec, "GEnum"):
        return "enum: " + ", ".join(code(nick) for _, nick in sorted(choices(spec, EnumClass).items()))
    if is_a(spec, "GFlags"):
        return f"flags: {code(name)}"
    short = {"gchararray": "string", "gdouble": "double", "gboolean": "boolean", "GstValueArray": "array"}.get(
        name, name.removeprefix("g"))
    if name not in WHOLE or (spec.minimum, spec.maximum) in WHOLE[name]:
        return short
    return f"{short}, {spec.minimum} to {spec.maximum}"


def default_of(spec, unit):
    if not spec.flags & GObject.ParamFlags.WRITABLE or spec.value_type.name == "GstValueArray":
        return ""
    value = spec.default_value
    if value is None:
        return "unset"
    if is_a(spec, "GEnum"):
        return code(choices(spec, EnumClass)[int(value)])
    if is_a(spec, "GFlags"):
        named = choices(spec, FlagsClass).get(int(value))
        return f"{int(value):#x}" if named is None else code(named)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value}{duration(value) if unit == 'ns' else ''}"


def settable(spec):
    flags = int(spec.flags) & 0xffffffff
    if not flags & int(GObject.ParamFlags.WRITABLE):
        return "read only"
    if flags & Gst.PARAM_MUTABLE_PLAYING:
        state = "any time"
    elif flags & Gst.PARAM_MUTABLE_PAUSED:
        state = "up to PAUSED"
    elif flags & Gst.PARAM_MUTABLE_READY:
        state = "NULL, READY"
    else:
        state = "NULL"
    return state if flags & int(GObject.ParamFlags.READABLE) else state + "; not read"


def caps_lines(caps):
    for index in range(caps.get_size()):
        structure, features = caps.get_structure(index), caps.get_features(index)
        text = re.sub(r"\((string|int|boolean|fraction)\)", "", structure.to_string().rstrip(";"))
        text = re.sub(r", \w+=\[ (1|0/1), 2147483647(/1)? \]", "", text)  # anything
        feature = features.to_string()
        yield text if feature == "memory:SystemMemory" else text.replace(
            structure.get_name(), f"{structure.get_name()}({feature})", 1)


def pads(element):
    lines = ["```"]
    presence = {Gst.PadPresence.ALWAYS: "always there", Gst.PadPresence.REQUEST: "by request",
                Gst.PadPresence.SOMETIMES: "sometimes there"}
    for template in sorted(element.get_static_pad_templates(), key=lambda each: each.direction, reverse=True):
        lines.append(f"{template.name_template}, {presence[template.presence]}:")
        lines += [f"  {line}" for line in caps_lines(template.get_caps())]
    return lines + ["```"]


def table(columns, rows):
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"] + [
        f"| {' | '.join(row)} |".replace("|  |", "| |").replace("|  |", "| |") for row in rows]


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split(" |")]


def by_hand(old, columns):
    """What an old table has in these columns, by the name in its first one."""
    if not old:
        return {}
    header = cells(old[0])
    rows = [dict(zip(header, cells(line))) for line in old[2:]]
    return {row[header[0]].strip("`"): [row.get(column, "") for column in columns] for row in rows}


def properties(kind, old):
    hand = by_hand(old, ["unit", "effect"])
    own = [spec for spec in GObject.list_properties(kind) if spec.owner_type == kind]
    rows = []
    for spec in own:
        unit, effect = hand.get(spec.name, ["", spec.blurb])
        rows.append([code(spec.name), type_of(spec), unit, default_of(spec, unit), settable(spec), effect])
    # In the order of the page: related ones stand together there. New ones come last.
    order = list(hand)
    rows.sort(key=lambda row: order.index(row[0].strip("`")) if row[0].strip("`") in order else len(order))
    return table(["property", "type and values", "unit", "default", "can be set", "effect"], rows)


def signals(kind, old):
    hand = by_hand(old, ["effect"])
    rows = []
    for number in GObject.signal_list_ids(kind):
        query = GObject.signal_query(GObject.signal_name(number), kind)
        types = ", ".join(each.name for each in query.param_types)
        returned = "" if query.return_type.name == "void" else query.return_type.name
        rows.append([code(query.signal_name), types, returned, *hand.get(query.signal_name, [""])])
    return table(["signal", "parameters", "returns", "effect"], rows)


def block_end(lines, begin, kind):
    """The line after what stands there now: a code block, or the lines of a table."""
    end = begin
    if kind == "pads":
        if end < len(lines) and lines[end].startswith("```"):
            end += 1
            while not lines[end].startswith("```"):
                end += 1
            end += 1
    else:
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
    return end


def renewed(page):
    factory = Gst.ElementFactory.find(page.stem)
    if factory is None:
        raise LookupError(f"there is no element {page.stem}")
    kind = factory.load().get_element_type()
    element = factory.make(page.stem)
    assert element is not None
    lines, result, kinds = page.read_text().splitlines(), [], []
    index = 0
    while index < len(lines):
        result.append(lines[index])
        marker = re.fullmatch(r"<!-- element_tables\.py: (\w+) -->", lines[index])
        index += 1
        if marker:
            kinds.append(marker.group(1))
            end = block_end(lines, index, kinds[-1])
            old = lines[index:end]
            if kinds[-1] == "pads":
                result += pads(factory)
            else:
                result += (properties if kinds[-1] == "properties" else signals)(kind, old)
            index = end
    wanted = ["pads", "properties"] + (["signals"] if GObject.signal_list_ids(kind) else [])
    if kinds != wanted:
        raise LookupError(f"{page.name} has {kinds} and should have {wanted}")
    return "\n".join(result) + "\n"


Gst.init(None)
is_update = sys.argv[1] == "--update"
pages = [pathlib.Path(each) for each in sys.argv[1 + is_update:]]
print(f"1..{len(pages)}")
for number, page in enumerate(pages, 1):
    try:
        old, new = page.read_text(), renewed(page)
        faults = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "the page", "the element", n=0,
                                           lineterm=""))
        if is_update:
            page.write_text(new)
            faults = []
    except LookupError as error:
        faults = [str(error)]
    print(f"{'not ok' if faults else 'ok'} {number} {page.name} says of the element what it says of itself")
    for fault in faults:
        print("#", fault)
    if faults:
        print("# tests/docs/element_tables.py --update writes what is to be")
