#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""introspection_test.py [device]: the C API from Python. With the argument, frames are on device 0."""
import ctypes
import sys

try:
    import gi
    gi.require_version("GstVideo", "1.0")
except (ImportError, ValueError) as missing:
    print(f"1..0 # SKIP {missing}")
    sys.exit()
gi.require_version("GstNv12Slot", "1.0")
from gi.repository import GLib, Gst, GstNv12Slot, GstVideo  # noqa: E402

DEVICE = 0 if "device" in sys.argv[1:] else -1
WIDTH, HEIGHT = 72, 32  # rows of slots are padded
CAPS = f"video/x-raw,format=NV12,width={WIDTH},height={HEIGHT},framerate=25/1,colorimetry=smpte240m"
number = 0


def report(well, name, output=""):
    global number
    number += 1
    print(f"{'ok' if well else 'not ok'} {number} {name}", flush=True)
    if not well:
        print(f"# {output}", flush=True)


def rows(data, stride, height):
    return [bytes(data[row * stride:row * stride + WIDTH]) for row in range(height)]


def picture(buffer):
    """Of a buffer in system memory with the caps' own layout."""
    info = GstVideo.VideoInfo()
    info.set_format(GstVideo.VideoFormat.NV12, WIDTH, HEIGHT)
    well, view = buffer.map(Gst.MapFlags.READ)
    assert well
    y, uv = bytes(view.data)[:info.offset[1]], bytes(view.data)[info.offset[1]:]
    buffer.unmap(view)
    return rows(y, info.stride[0], HEIGHT) + rows(uv, info.stride[1], HEIGHT // 2)


Gst.init(None)
pipeline = Gst.parse_launch(
    f"videotestsrc num-buffers=3 pattern=smpte ! {CAPS} ! tee name=t t. ! queue ! appsink name=original "
    f"t. ! queue ! nv12slotcopy device={DEVICE} source-name=yard ! appsink name=slots")
originals, slots = pipeline.get_by_name("original"), pipeline.get_by_name("slots")
promise = GstNv12Slot.declare_reader(slots.get_static_pad("sink"))
report(promise != 0, "an appsink can be declared a reader")
pipeline.set_state(Gst.State.PLAYING)
expected = picture(originals.emit("pull-sample").get_buffer())
buffer = slots.emit("pull-sample").get_buffer()
frame = GstNv12Slot.Frame.from_buffer(buffer)
report(frame is not None, "a buffer leads to its frame")
report(GstNv12Slot.Frame.from_buffer(Gst.Buffer.new()) is None, "a buffer that is no slot leads to none")
report(GstNv12Slot.buffer_get_nv12_slot_meta(buffer).frame.get_id() == frame.get_id(),
       "so does its meta")
report(frame.get_source_name() == "yard" and frame.get_pts() == buffer.pts,
       "a frame says whose it is", f"{frame.get_source_name()} {frame.get_pts()}")
report(frame.get_device() == DEVICE, "a frame says where it is", frame.get_device())
colour = frame.get_colorimetry()
report(colour.to_string() == "smpte240m", "a frame says what its colours mean", colour.to_string())

planes = frame.get_planes()
report((planes.width, planes.height) == (WIDTH, HEIGHT) and planes.stride[0] > WIDTH
       and planes.data[1] > planes.data[0] > 0, "a frame has planes")

well, view = frame.map()
y, uv = view.get_plane(0), view.get_plane(1)
seen = rows(y.get_data(), view.stride[0], HEIGHT) + rows(uv.get_data(), view.stride[1], HEIGHT // 2)
report(well and seen == expected, "a map shows the picture")
report(view.get_plane(2) is None, "a map has two planes")
frame.unmap(view)
report(rows(y.get_data(), planes.stride[0], HEIGHT) == expected[:HEIGHT],
       "bytes of a map outlive it")
if DEVICE < 0:
    in_place = ctypes.string_at(planes.data[0], planes.stride[0] * HEIGHT)
    report(rows(in_place, planes.stride[0], HEIGHT) == expected[:HEIGHT],
           "planes of the host are addresses")

report(frame.wait(None), "a reader can wait")
report(frame.wait(1), "a stream is a number")
report(frame.fence(-1, None), "a reader can fence")
tensor = frame.export_dlpack(0)
report(tensor and not frame.export_dlpack(2), "planes are exported as DLPack tensors", tensor)
GstNv12Slot.dlpack_free(tensor)

number_of_frame = frame.get_id()
found = GstNv12Slot.Frame.lookup(number_of_frame)
report(found is not None and found.get_id() == number_of_frame, "a frame is found by its id")
pipeline.set_state(Gst.State.NULL)
del pipeline, originals, slots, buffer
report(GstNv12Slot.Frame.lookup(number_of_frame) is not None, "a frame outlives its pipeline")
del found, y, uv, view
if DEVICE < 0:
    in_place = ctypes.string_at(planes.data[0], planes.stride[0] * HEIGHT)
    report(rows(in_place, planes.stride[0], HEIGHT) == expected[:HEIGHT], "and stays as it was")
del frame
report(GstNv12Slot.Frame.lookup(number_of_frame) is None, "no reference is left behind")

pool = GstNv12Slot.BufferPool.new(DEVICE)
report(isinstance(pool, Gst.BufferPool) and pool.get_property("device") == DEVICE,
       "there is a buffer pool")
print(f"1..{number}")
