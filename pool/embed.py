#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""embed.py NAME INPUT OUTPUT: the bytes of INPUT as a C++ array `NAME` with C linkage."""
import sys

name, source, target = sys.argv[1:]
with open(source, 'rb') as file:
    data = file.read()
# The driver reads 64-bit words of it.
lines = [f'extern "C" {{ extern const unsigned char {name}[]; }}',
         f'alignas(16) const unsigned char {name}[] = {{']
for start in range(0, len(data), 24):
    lines.append(','.join(str(byte) for byte in data[start:start + 24]) + ',')
lines.append('};')
with open(target, 'w', encoding='ascii') as file:
    file.write('\n'.join(lines) + '\n')
