# SPDX-License-Identifier: Apache-2.0
"""bpftrace and auditd from Debian, unpacked into the cache and never installed on this machine."""
import os
import shutil
import subprocess

PACKAGES = ("bpftrace", "auditd")
CACHE = os.environ.get("KENTRY_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "kentry")


class PeersMissing(Exception):
    """The packages can't be had; the message says why."""


def _library_folders(root):
    folders = (f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/lib/x86_64-linux-gnu")
    return [folder for folder in folders if os.path.isdir(folder)]


def _complete(root):
    """Whether the unpacked programs find all their libraries, there or on this machine."""
    environment = dict(os.environ, LD_LIBRARY_PATH=":".join(_library_folders(root)))
    for program in (f"{root}/usr/bin/bpftrace", f"{root}/sbin/auditd"):
        if not os.path.exists(program):
            return False
        found = subprocess.run(["ldd", program], env=environment, stdout=subprocess.PIPE, text=True,
                               check=False)
        if found.returncode != 0 or "not found" in found.stdout:
            return False
    return True


def _download(folder):
    archives = f"{folder}/archives"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{archives}/partial")
    # --reinstall: what happens to be installed is wanted too.
    command = ["apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={archives}",
               "-o", "APT::Sandbox::User=root", "-o", "DPkg::Lock::Timeout=300",
               "install", "--download-only", "--no-install-recommends", "--reinstall", *PACKAGES]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.startswith("E:")]
        raise PeersMissing(f"apt-get can't download {' and '.join(PACKAGES)}: "
                           f"{(lines or ['no reason given'])[0]}")
    for name in sorted(os.listdir(archives)):
        if name.endswith(".deb"):
            subprocess.run(["dpkg-deb", "-x", f"{archives}/{name}", f"{folder}/root"], check=True)


def fetch():
    """Returns the folder that the packages are unpacked in; raises PeersMissing."""
    folder = os.path.join(CACHE, "peers")
    if not _complete(f"{folder}/root"):
        _download(folder)
        if not _complete(f"{folder}/root"):
            raise PeersMissing("the downloaded bpftrace and auditd lack libraries")
    return f"{folder}/root"


def shares(root):
    """What to share with the guest. Libraries that this machine has are found through the loader,
    which is told here where the others are."""
    os.environ["LD_LIBRARY_PATH"] = ":".join(_library_folders(root))
    return [f"{root}/{name}:/{name}" for name in ("usr/bin", "usr/lib", "sbin", "lib")
            if os.path.isdir(f"{root}/{name}")]


def versions():
    """{"bpftrace": "0.17.0-1", ...}, from the names of the downloaded packages."""
    found = {}
    for name in os.listdir(os.path.join(CACHE, "peers", "archives")):
        parts = name.split("_")
        if parts[0] in PACKAGES:
            found[parts[0]] = parts[1].replace("%3a", ":").split(":")[-1]
    return found
