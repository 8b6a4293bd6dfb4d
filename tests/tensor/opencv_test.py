#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""opencv_test.py MAKE_TENSOR: letterboxes as the networks' own preprocessing makes them with OpenCV.

Greys, so that colour plays no part: of noise, where the least shift shows. Each pixel of the tensor is
compared, borders included."""
import pathlib
import subprocess
import sys
import tempfile

make_tensor = sys.argv[1]


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


try:
    import cv2
    import numpy
except ImportError as error:
    skip(f"no OpenCV for {sys.executable}: {error}")


def yolov5(picture, height, width):
    """What letterbox(auto=False) in utils/augmentations.py does."""
    rows, columns = picture.shape
    ratio = min(height / rows, width / columns)
    new_columns, new_rows = int(round(columns * ratio)), int(round(rows * ratio))
    half_x, half_y = (width - new_columns) / 2, (height - new_rows) / 2
    small = cv2.resize(picture, (new_columns, new_rows), interpolation=cv2.INTER_LINEAR)
    top, bottom = int(round(half_y - 0.1)), int(round(half_y + 0.1))
    left, right = int(round(half_x - 0.1)), int(round(half_x + 0.1))
    return cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=114)


def yolox(picture, height, width):
    """What preproc() in yolox/data/data_augment.py does."""
    rows, columns = picture.shape
    ratio = min(height / rows, width / columns)
    padded = numpy.full((height, width), 114, numpy.float32)
    small = cv2.resize(picture, (int(columns * ratio), int(rows * ratio)), interpolation=cv2.INTER_LINEAR)
    padded[:small.shape[0], :small.shape[1]] = small
    return padded


def stretch(picture, height, width):
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)


CASES = [  # width and height of the picture, of the tensor
    (1920, 1080, 640, 640), (1280, 720, 640, 640), (500, 374, 640, 640), (374, 500, 416, 416),
    (640, 640, 640, 640), (64, 48, 640, 640), (1000, 2, 640, 640), (2, 2, 33, 17), (854, 480, 321, 223),
    (1080, 1920, 640, 384), (256, 10, 64, 64), (3840, 2160, 960, 544)]
failures = 0
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for width, height, tensor_width, tensor_height in CASES:
        luma = numpy.random.default_rng(width * height).integers(0, 256, (height, width), numpy.uint8)
        (folder / "picture").write_bytes(luma.tobytes() + b"\x80" * (width * height // 2))
        for mode, theirs in (("centred", yolov5), ("top-left", yolox), ("stretch", stretch)):
            expected = theirs(luma.astype(numpy.float32), tensor_height, tensor_width)
            subprocess.run([make_tensor, str(folder / "picture"), str(width), str(height), "601", "full", "left",
                            mode, str(tensor_width), str(tensor_height), str(folder / "tensor")], check=True)
            tensor = numpy.fromfile(folder / "tensor", numpy.float32).reshape(3, tensor_height, tensor_width)
            most = float(numpy.abs(tensor - expected).max())
            well = expected.shape == tensor.shape[1:] and most <= 0.05
            failures += not well
            print(f"{'ok' if well else 'WRONG'}: {width} x {height} into {tensor_width} x {tensor_height}, {mode}: "
                  f"{most:.4f} of 255", flush=True)
sys.exit(1 if failures else 0)
