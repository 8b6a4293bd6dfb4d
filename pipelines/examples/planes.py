#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""planes.py [--device N] [SOURCE]: reads the planes of every frame in place, through DLPack: on the
host with NumPy, on a device with PyTorch. SOURCE is what comes before nv12slotcopy in a launch line and
ends in NV12."""
import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstNv12Slot", "1.0")
from gi.repository import Gst, GstNv12Slot  # noqa: E402

from dlpack_capsule import dlpack_capsule  # noqa: E402

CPU, CUDA = 1, 2  # DLDeviceType
Y, UV = 0, 1

class Plane:
    """One plane of a frame, for numpy.from_dlpack(), torch.from_dlpack() and their like. The array that
    these make keeps the slot; fence before it goes."""

    def __init__(self, frame, plane):
        self.frame, self.plane = frame, plane

    def __dlpack_device__(self):
        device = self.frame.get_device()
        return (CPU, 0) if device < 0 else (CUDA, device)

    def __dlpack__(self, stream=None, **_):
        # -1 asks for no order; all else is a stream of the device that will read. 1 is the legacy
        # default stream and 2 a thread's own, for CUDA as for DLPack.
        if stream != -1 and not self.frame.wait(stream):
            raise BufferError("the device failed; the picture is not to be read")
        return dlpack_capsule(self.frame.export_dlpack(self.plane))


def means_with_numpy(frame):
    import numpy
    return [float(numpy.from_dlpack(Plane(frame, plane)).mean()) for plane in (Y, UV)]


def means_with_torch(frame):
    import torch
    with torch.cuda.device(frame.get_device()):
        means = [torch.from_dlpack(Plane(frame, plane)).float().mean() for plane in (Y, UV)]
        if not frame.fence(-1, torch.cuda.current_stream().cuda_stream):
            raise RuntimeError("no fence could be left")
        return [float(mean) for mean in means]  # waits for the GPU


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=int, default=-1, help="CUDA device of the slots, -1: host")
    parser.add_argument("source", nargs="?",
                        default="videotestsrc num-buffers=100 ! video/x-raw,format=NV12")
    arguments = parser.parse_args()

    Gst.init(None)
    pipeline = Gst.parse_launch(
        f"{arguments.source} ! nv12slotcopy source-name=front device={arguments.device} ! "
        "appsink name=sink sync=false enable-last-sample=false max-buffers=2")
    sink = pipeline.get_by_name("sink")
    # The promise to wait before and fence after each read on a device: before the first caps.
    GstNv12Slot.declare_reader(sink.get_static_pad("sink"))
    pipeline.set_state(Gst.State.PLAYING)

    frames, sums = 0, [0.0, 0.0]
    while sample := sink.emit("pull-sample"):
        frame = GstNv12Slot.Frame.from_buffer(sample.get_buffer())
        del sample  # the frame does not need it
        means = means_with_torch(frame) if frame.get_device() >= 0 else means_with_numpy(frame)
        sums = [total + mean for total, mean in zip(sums, means)]
        frames += 1
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message:
        sys.exit(message.parse_error()[0].message)
    if frames == 0:
        sys.exit("no frames")
    print(f"{frames} frames, mean luma {sums[0] / frames:.1f}, mean chroma {sums[1] / frames:.1f}")


if __name__ == "__main__":
    main()
