#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""in_place.py EXAMPLES DEVICE: that arrays made of a frame's planes and of a tensor, as the examples in the folder
EXAMPLES make them, are the slots' own memory: NumPy's on the host (DEVICE -1), PyTorch's on a device."""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstNv12Slot", "1.0")
from gi.repository import Gst, GstNv12Slot  # noqa: E402

examples, device = sys.argv[1], int(sys.argv[2])
sys.path.insert(0, examples)
from planes import Plane  # noqa: E402
from tensors import Batch  # noqa: E402


def address(owner):
    if device < 0:
        import numpy
        return numpy.from_dlpack(owner).ctypes.data
    import torch
    tensor = torch.from_dlpack(owner)
    assert tensor.device == torch.device("cuda", device), tensor.device
    return tensor.data_ptr()


def sample(description):
    pipeline = Gst.parse_launch(f"videotestsrc num-buffers=1 ! video/x-raw,format=NV12,width=72,height=48 ! "
                                f"nv12slotcopy device={device} ! {description} appsink name=sink sync=false")
    pipeline.set_state(Gst.State.PLAYING)
    taken = pipeline.get_by_name("sink").emit("pull-sample")
    pipeline.set_state(Gst.State.NULL)
    return taken


Gst.init(None)
frame = GstNv12Slot.Frame.from_buffer(sample("").get_buffer())
planes = frame.get_planes()
for plane in range(2):
    assert address(Plane(frame, plane)) == planes.data[plane], f"plane {plane} was copied"

memory = "other/tensors(memory:CUDAMemory)" if device >= 0 else "other/tensors"
batch = Batch(sample(f"nv12slottensor device={device} width=64 height=64 ! {memory} !").get_buffer())
assert address(batch) == batch.meta.data, "the tensor was copied"
print("in place")
