# SPDX-License-Identifier: Apache-2.0
"""Writes initramfs archives (cpio, newc form), owner root, without needing root or cpio.

usage: initrd.py ARCHIVE HOSTPATH:GUESTPATH...
"""
import os
import stat
import subprocess
import sys


class Archive:
    """A newc archive under construction. Parent folders are added on their own."""

    def __init__(self, path):
        self._out = open(path, "wb")
        self._names = set()

    def close(self):
        """Ends the archive, padded so that another one may follow it in the same file."""
        self._entry("TRAILER!!!", 0, b"")
        self._out.write(b"\0" * (-self._out.tell() % 512))
        self._out.close()

    def add_bytes(self, guest_path, data, mode=0o644):
        self._add(guest_path, stat.S_IFREG | mode, data)

    def add_folder(self, guest_path, mode=0o755):
        self._add(guest_path, stat.S_IFDIR | mode, b"")

    def add_device(self, guest_path, major, minor):
        self._add(guest_path, stat.S_IFCHR | 0o600, b"", major, minor)

    def add_path(self, host_path, guest_path):
        """Adds a file, or a folder with all in it; links inside a folder stay links."""
        if os.path.isdir(host_path):
            self.add_folder(guest_path, os.stat(host_path).st_mode & 0o7777)
            for name in sorted(os.listdir(host_path)):
                self._add_member(os.path.join(host_path, name), f"{guest_path}/{name}")
            return
        with open(host_path, "rb") as file:
            self.add_bytes(guest_path, file.read(), os.stat(host_path).st_mode & 0o7777)

    def _add_member(self, host_path, guest_path):
        if os.path.islink(host_path):
            self._add(guest_path, stat.S_IFLNK | 0o777, os.readlink(host_path).encode())
        else:
            self.add_path(host_path, guest_path)

    def _add(self, guest_path, mode, data, major=0, minor=0):
        name = os.path.normpath("/" + guest_path).lstrip("/")
        if name in self._names:
            return
        parent = os.path.dirname(name)
        if parent and parent not in self._names:
            self.add_folder(parent)
        self._names.add(name)
        self._entry(name, mode, data, major, minor)

    def _entry(self, name, mode, data, major=0, minor=0):
        raw = name.encode(errors="surrogateescape") + b"\0"
        fields = (len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(raw), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + raw)
        self._out.write(b"\0" * (-self._out.tell() % 4))
        self._out.write(data)
        self._out.write(b"\0" * (-self._out.tell() % 4))


def elf_files(path):
    """Yields each ELF file at or below path."""
    if os.path.isdir(path):
        for folder, _, names in os.walk(path):
            for name in names:
                yield from elf_files(os.path.join(folder, name))
    elif os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            if file.read(4) == b"\x7fELF":
                yield path


def libraries(path):
    """Returns the files that the dynamic loader needs to start the programs at or below path."""
    found = set()
    for program in elf_files(os.path.realpath(path)):
        result = subprocess.run(["ldd", program], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False)
        for line in result.stdout.splitlines():
            if "not found" in line:
                raise FileNotFoundError(f"{program} needs {line.strip()}")
            found.update(word for word in line.split() if word.startswith("/"))
    return found


def main():
    archive = Archive(sys.argv[1])
    for pair in sys.argv[2:]:
        host_path, guest_path = pair.rsplit(":", 1)
        archive.add_path(host_path, guest_path)
    archive.close()


if __name__ == "__main__":
    main()
