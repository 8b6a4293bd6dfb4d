#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""tensors.py [--device N] [SOURCE]...: takes the batches that nv12slottensor makes of any number of cameras in place,
through DLPack, with NumPy on the host and with PyTorch on a device, where an engine would infer. Each SOURCE is what
comes before nv12slotcopy in a launch line and ends in NV12."""
import argparse
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstNv12Slot", "1.0")
from gi.repository import Gst, GstNv12Slot  # noqa: E402

from dlpack_capsule import dlpack_capsule  # noqa: E402

CPU, CUDA = 1, 2  # DLDeviceType


class Batch:
    """A buffer's tensor, for numpy.from_dlpack(), torch.from_dlpack() and their like. The array that these make keeps
    the tensor; fence before it goes."""

    def __init__(self, buffer):
        self.meta = GstNv12Slot.buffer_get_nv12_tensor_meta(buffer)
        self.buffer = buffer  # the meta is its
        self.frame = self.meta.frame

    def __dlpack_device__(self):
        device = self.frame.get_device()
        return (CPU, 0) if device < 0 else (CUDA, device)

    def __dlpack__(self, stream=None, **_):
        if stream != -1 and not self.frame.wait(stream):
            raise BufferError("the device failed; the tensor is not to be read")
        return dlpack_capsule(self.meta.export_dlpack())


def infer_with_numpy(batch):
    import numpy
    return [float(picture.mean()) for picture in numpy.from_dlpack(batch)]


def infer_with_torch(batch):
    import torch
    with torch.cuda.device(batch.frame.get_device()):
        results = torch.from_dlpack(batch).float().mean(dim=(1, 2, 3))
        if not batch.frame.fence(-1, torch.cuda.current_stream().cuda_stream):
            raise RuntimeError("no fence could be left")
        return results.tolist()  # waits for the GPU


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=int, default=-1, help="CUDA device to make tensors on, -1: host")
    parser.add_argument("source", nargs="*", default=["videotestsrc num-buffers=100 ! video/x-raw,format=NV12"] * 2)
    arguments = parser.parse_args()

    Gst.init(None)
    memory = "other/tensors(memory:CUDAMemory)" if arguments.device >= 0 else "other/tensors"
    cameras = " ".join(f"{source} ! nv12slotcopy source-name=camera{number} device={arguments.device} ! tensor."
                       for number, source in enumerate(arguments.source))
    pipeline = Gst.parse_launch(
        f"nv12slottensor name=tensor device={arguments.device} width=64 height=64 "
        f"batch-size={len(arguments.source)} ! {memory} ! "
        f"appsink name=sink sync=false enable-last-sample=false max-buffers=2 {cameras}")
    sink = pipeline.get_by_name("sink")
    # The promise to wait before and fence after each read on a device: before the first caps.
    GstNv12Slot.declare_reader(sink.get_static_pad("sink"))
    pipeline.set_state(Gst.State.PLAYING)

    seen = {}
    while sample := sink.emit("pull-sample"):
        batch = Batch(sample.get_buffer())
        results = infer_with_torch(batch) if batch.frame.get_device() >= 0 else infer_with_numpy(batch)
        # What is in the places that no picture came to is not defined.
        for place in range(batch.meta.n_items):
            seen.setdefault(batch.meta.get_item(place).source_name, []).append(results[place])
    message = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message:
        sys.exit(message.parse_error()[0].message)
    if not seen:
        sys.exit("no tensors")
    for name, results in sorted(seen.items()):
        print(f"{name}: {len(results)} pictures, mean {sum(results) / len(results):.3f}")


if __name__ == "__main__":
    main()
