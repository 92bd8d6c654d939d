# SPDX-License-Identifier: Apache-2.0
"""Unpacks the ELF kernel out of a bzImage, so that emulated machines need not do it at each boot.

usage: bzimage.py BZIMAGE VMLINUX
"""
import lzma
import os
import struct
import subprocess
import sys
import zlib

SETUP_SECTORS = 0x1F1
HEADER_MAGIC = 0x202
PAYLOAD = 0x248  # u32 offset from the protected-mode code, u32 length


def decompress(data):
    """Returns the decompressed payload. The kernel appends the size to it, which is ignored."""
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(data)
    if data[:2] == b"\x1f\x8b":
        return zlib.decompressobj(wbits=31).decompress(data)
    commands = {b"\x28\xb5\x2f\xfd": ["zstd", "-qdc"], b"\x02\x21\x4c\x18": ["lz4", "-qdc"]}
    if data[:4] not in commands:
        raise ValueError(f"payload starts with unknown bytes {data[:4].hex()}")
    return subprocess.run(commands[data[:4]], input=data[:-4], stdout=subprocess.PIPE,
                          check=True).stdout


def main():
    image = open(sys.argv[1], "rb").read()
    if image[HEADER_MAGIC:HEADER_MAGIC + 4] != b"HdrS":
        raise ValueError(f"{sys.argv[1]} is not a bzImage")
    start = ((image[SETUP_SECTORS] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    kernel = decompress(image[start + offset:start + offset + length])
    if kernel[:4] != b"\x7fELF":
        raise ValueError(f"the payload of {sys.argv[1]} is not an ELF file")
    with open(sys.argv[2] + ".tmp", "wb") as out:
        out.write(kernel)
    os.replace(sys.argv[2] + ".tmp", sys.argv[2])


if __name__ == "__main__":
    main()
