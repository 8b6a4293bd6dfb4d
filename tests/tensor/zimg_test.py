#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""zimg_test.py MAKE_TENSOR: colour as zimg converts it, which FFmpeg's filter zscale is.

A card of squares, each with a colour of its own, at the picture's own size. Every value is within 1 of 255
of zimg's, which are whole numbers: inside of the squares, and at their edges, where chroma is interpolated
from where its samples lie."""
import array
import pathlib
import subprocess
import sys
import tempfile

make_tensor = sys.argv[1]
SQUARE, ACROSS = 16, 32
SIDE = SQUARE * ACROSS
# As zscale calls them.
MATRICES = {"601": "170m", "709": "709", "2020": "2020_ncl"}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def card():
    """Planes of Y, U and V: each of 16 x 8 x 8 samples, those that are no colours included."""
    y, u, v = bytearray(SIDE * SIDE), bytearray(SIDE * SIDE // 4), bytearray(SIDE * SIDE // 4)
    for row in range(ACROSS):
        for column in range(ACROSS):
            number = row * ACROSS + column
            sample = (number % 16 * 17, number // 16 % 8 * 36 + 2, number // 128 * 36 + 2)
            for line in range(SQUARE):
                start = (row * SQUARE + line) * SIDE + column * SQUARE
                y[start:start + SQUARE] = bytes([sample[0]]) * SQUARE
            for line in range(SQUARE // 2):
                start = (row * SQUARE // 2 + line) * SIDE // 2 + column * SQUARE // 2
                u[start:start + SQUARE // 2] = bytes([sample[1]]) * (SQUARE // 2)
                v[start:start + SQUARE // 2] = bytes([sample[2]]) * (SQUARE // 2)
    return y, u, v


def by_zimg(folder, planes, matrix, colour_range, site):
    """Green, blue, red; one plane after the other."""
    (folder / "card.yuv").write_bytes(b"".join(planes))
    filters = (f"zscale=matrixin={MATRICES[matrix]}:rangein={colour_range}:chromalin={site}:primariesin=709:"
               f"transferin=709:matrix=gbr:range=full:primaries=709:transfer=709:filter=bilinear:dither=none,"
               "format=gbrp")
    return subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-video_size", f"{SIDE}x{SIDE}",
         "-i", str(folder / "card.yuv"), "-vf", filters, "-f", "rawvideo", "-"],
        check=True, stdout=subprocess.PIPE).stdout


def by_us(folder, planes, matrix, colour_range, site):
    """Red, green, blue; one plane after the other, floats from 0 to 255."""
    y, u, v = planes
    chroma = bytearray(2 * len(u))
    chroma[0::2], chroma[1::2] = u, v
    (folder / "card.nv12").write_bytes(y + chroma)
    subprocess.run([make_tensor, str(folder / "card.nv12"), str(SIDE), str(SIDE), matrix, colour_range, site,
                    "stretch", str(SIDE), str(SIDE), str(folder / "tensor")], check=True)
    values = array.array("f")
    values.frombytes((folder / "tensor").read_bytes())
    return values


def is_inside(place):
    row, column = divmod(place, SIDE)
    return 2 <= row % SQUARE < SQUARE - 2 and 2 <= column % SQUARE < SQUARE - 2


try:
    known = subprocess.run(["ffmpeg", "-v", "error", "-filters"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
except (OSError, subprocess.CalledProcessError):
    skip("there is no ffmpeg")
if " zscale " not in known:
    skip("this ffmpeg has no zscale")

pixels = SIDE * SIDE
inside = bytes(is_inside(place) for place in range(pixels))
failures = 0
with tempfile.TemporaryDirectory() as name:
    planes = card()
    for matrix in MATRICES:
        for colour_range in ("limited", "full"):
            for site in ("left", "center", "topleft"):
                if site != "left" and (matrix, colour_range) != ("709", "limited"):
                    continue
                case = (pathlib.Path(name), planes, matrix, colour_range, site)
                theirs, ours = by_zimg(*case), by_us(*case)
                assert len(theirs) == len(ours) == 3 * pixels
                most_inside = most_anywhere = 0
                for our_plane, their_plane in enumerate((2, 0, 1)):
                    mine = ours[our_plane * pixels:(our_plane + 1) * pixels]
                    others = theirs[their_plane * pixels:(their_plane + 1) * pixels]
                    differences = [abs(a - b) for a, b in zip(mine, others)]
                    most_anywhere = max(most_anywhere, *differences)
                    most_inside = max(most_inside, max(d for d, i in zip(differences, inside) if i))
                well = most_inside <= 1 and most_anywhere <= 1
                failures += not well
                print(f"{'ok' if well else 'WRONG'}: BT.{matrix}, {colour_range}, chroma {site}: "
                      f"{most_inside:.3f} of 255 inside, {most_anywhere:.3f} anywhere", flush=True)
sys.exit(1 if failures else 0)
