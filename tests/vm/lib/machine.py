# SPDX-License-Identifier: Apache-2.0
"""One boot of one kernel in QEMU, with one command inside."""
import ctypes
import dataclasses
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Callable, Optional

import initrd

HERE = os.path.dirname(os.path.abspath(__file__))
KERNELS = ("5.10", "6.1", "6.12", "newest")

# Exit codes of the harness itself; anything else is the guest command's own.
NOT_RUN = 120  # the kernel can't be had
TROUBLE = 121  # the kernel complained, or the machine ended by itself
TIMEOUT = 122
HARNESS = 123  # wrong use, no QEMU, a file to hand over is missing

# 6.12 panics under emulation with cmpxchg16b; 7.2 silently loses BPF storage and timers without.
WITHOUT_CX16 = ("6.12",)

COMMAND_LINE = ("console=ttyS0 loglevel=5 panic=-1 oops=panic no_timer_check tsc=reliable "
                "watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=60")

# But for one of 7.2's scheduler (dl_task_timer), when an emulated machine stood still for long.
TROUBLE_LINE = re.compile(
    rb"^(?:<\d+>)?(?:\[[^\]\n]*\]\s*)*(?:"
    rb"WARNING: (?!kernel/time/hrtimer\.c:\d+ at hrtimer_forward)|BUG: |watchdog: BUG|kernel BUG at|Oops|Kernel panic|general protection fault|"
    rb"Unable to handle kernel|INFO: task .* blocked for more than|INFO: rcu|rcu: INFO: rcu|"
    rb"INFO: possible|UBSAN: |KASAN: |=+ KASAN|kentry: ).*", re.MULTILINE)

TRACE_SECONDS = 4  # how long a complaining kernel may go on, to get its whole trace


@dataclasses.dataclass
class Options:
    """What to boot and what to run in it. Times are in seconds, memory in MiB."""
    kernel: str
    command: list
    smp: int = 2
    mem: int = 1024
    timeout: float = 300
    stall: float = 0  # fail when nothing was printed for so long; 0: never
    append: str = ""
    icount: bool = False
    tty: bool = False
    activity: str = ""  # a script that runs in the background of a terminal machine
    share: list = dataclasses.field(default_factory=list)  # HOST or HOST:GUEST
    get: list = dataclasses.field(default_factory=list)  # GUEST:HOST
    env: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Result:
    """How a run ended. `why` is empty when the guest command's exit code is `code`."""
    code: int
    why: str = ""
    console: bytes = b""
    seconds: float = 0
    boot_seconds: float = 0
    missing: list = dataclasses.field(default_factory=list)


class HarnessError(Exception):
    """The run could not be started; the message is for the user."""


class KernelMissing(Exception):
    """The kernel can't be had; the message says why."""


def kernel_folder(name):
    """Returns the folder of a kernel, fetching it first when the cache has none."""
    script = os.path.join(HERE, "..", "kernels")
    found = subprocess.run([script, "dir", name], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True, check=False)
    if found.returncode != 0:
        fetched = subprocess.run([script, "fetch", name], stdout=subprocess.PIPE, text=True,
                                 check=False)
        if fetched.returncode != 0:
            raise KernelMissing(fetched.stdout.strip() or f"{name}: not run")
        found = subprocess.run([script, "dir", name], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.strip()


def kernel_release(name):
    """Returns what `uname -r` says in the guest."""
    with open(os.path.join(kernel_folder(name), "release"), encoding="ascii") as file:
        return file.read().strip()


class Machine:
    """A guest. `run` boots it and blocks until it is gone; one thread, one run."""

    def __init__(self, options: Options, on_output: Callable[[bytes], None],
                 input_fd: Optional[int] = None):
        """`on_output` gets what the command prints, as it comes. `input_fd` (terminal machines
        only) is where the user types."""
        self._options = options
        self._on_output = on_output
        self._input_fd = input_fd
        self._interrupts = 0
        self._wake_read, self._wake_write = os.pipe()

    def interrupt(self):
        """Passes a Ctrl-C to the guest's command; the third one ends the machine. May be called
        from a signal handler."""
        os.write(self._wake_write, b"\x03")

    def run(self) -> Result:
        """Raises HarnessError or KernelMissing when the machine could not be started."""
        folder = kernel_folder(self._options.kernel)
        if not shutil.which("qemu-system-x86_64"):
            raise HarnessError("qemu-system-x86_64 is not installed: run deploy/deps test")
        self._work = tempfile.mkdtemp(prefix="kentry-vm-")
        try:
            self._write_initrd(folder)
            return self._boot(folder)
        finally:
            shutil.rmtree(self._work, ignore_errors=True)
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _file(self, name):
        return os.path.join(self._work, name)

    def _write_initrd(self, folder):
        options = self._options
        archive = initrd.Archive(self._file("initrd"))
        for path in ("/proc", "/sys", "/dev", "/tmp", "/run", "/root", "/etc", "/var"):
            archive.add_folder(path)
        archive.add_device("/dev/console", 5, 1)
        archive.add_device("/dev/null", 1, 3)
        archive.add_path(os.path.join(HERE, "..", "init"), "/init")
        archive.add_bytes("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                          b"nobody:x:65534:65534:nobody:/:/bin/false\n")
        archive.add_bytes("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        archive.add_bytes("/etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
        archive.add_bytes("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\n")
        for share in options.share:
            self._add_share(archive, share)
        exports = "".join(f"export {key}={shlex.quote(value)}\n"
                          for key, value in options.env.items())
        archive.add_bytes("/.kentry/cmd", f"exec {shlex.join(options.command)}\n".encode())
        archive.add_bytes("/.kentry/env", exports.encode())
        archive.add_bytes("/.kentry/get", "".join(
            pair.split(":", 1)[0] + "\n" for pair in options.get).encode())
        archive.add_bytes("/.kentry/hostname", f"kentry-{options.kernel}\n".encode())
        if options.tty:
            size = shutil.get_terminal_size((100, 30))
            archive.add_bytes("/.kentry/tty", f"rows {size.lines} cols {size.columns}\n".encode())
        if options.activity:
            archive.add_path(options.activity, "/.kentry/activity")
        archive.close()
        with open(self._file("initrd"), "ab") as out:
            with open(os.path.join(folder, "base.cpio.lz4"), "rb") as base:
                shutil.copyfileobj(base, out)

    def _add_share(self, archive, share):
        host, _, guest = share.partition(":")
        if not os.path.exists(host):
            raise HarnessError(f"--share {share}: no such file {host}")
        name = os.path.basename(os.path.normpath(host))
        if not guest:
            guest = f"/{name}" if os.path.isdir(host) else f"/bin/{name}"
        archive.add_path(host, guest)
        for library in sorted(initrd.libraries(host)):
            archive.add_path(library, library)

    def _qemu(self, folder):
        options = self._options
        if options.icount:
            cpu = "max,-erms,-fsrm"
            timing = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]
        else:
            cpu = "max"
            timing = ["-accel", "tcg,thread=multi", "-smp", str(options.smp)]
        if options.kernel in WITHOUT_CX16:
            cpu += ",-cx16"
        ports = ["-chardev", f"file,id=ctl,path={self._file('ctl')}",
                 "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=ctl,name=ctl"]
        if options.tty:
            ports += ["-chardev", "stdio,id=tty,signal=off", "-serial", "chardev:tty"]
        else:
            ports += ["-chardev", "stdio,id=out,signal=off",
                      "-device", "virtserialport,chardev=out,name=out"]
        return ["qemu-system-x86_64", "-M", "pc", *timing, "-cpu", cpu, "-m", str(options.mem),
                "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
                "-no-reboot", "-kernel", os.path.join(folder, "vmlinux"),
                "-initrd", self._file("initrd"),
                "-append", f"{COMMAND_LINE} {options.append}".strip(),
                "-chardev", f"file,id=console,path={self._file('console')}",
                "-serial", "chardev:console", *ports]

    def _boot(self, folder):
        start = time.monotonic()
        with open(self._file("qemu"), "wb") as errors:
            # The end of QEMU's input would count as the end of its output's reader as well.
            qemu = subprocess.Popen(
                self._qemu(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                bufsize=0, start_new_session=True, preexec_fn=_die_with_parent)
        try:
            why, code = self._watch(qemu, start)
        finally:
            qemu.kill()
            qemu.wait()
        result = self._result(why, code, qemu.returncode)
        result.seconds = time.monotonic() - start
        return result

    def _watch(self, qemu, start):
        """Moves bytes until the machine is gone. Returns (reason, code) of an early end, or
        ("", 0)."""
        options = self._options
        sources = [qemu.stdout, self._wake_read]
        if self._input_fd is not None:
            sources.append(self._input_fd)
        last_news, sizes, troubled_at = start, None, None
        while True:
            readable, _, _ = select.select(sources, [], [], 0.25)
            now = time.monotonic()
            if qemu.stdout in readable:
                data = os.read(qemu.stdout.fileno(), 65536)
                if not data:
                    return "", 0
                self._on_output(data)
                last_news = now
            for source in (self._wake_read, self._input_fd):
                if source in readable and not self._type(qemu, os.read(source, 4096), sources):
                    return "interrupted", 130
            if (new_sizes := self._sizes()) != sizes:
                sizes, last_news = new_sizes, now
                if troubled_at is None and TROUBLE_LINE.search(self._read("console")):
                    troubled_at = now
            if troubled_at is not None and now - troubled_at > TRACE_SECONDS:
                return "the kernel complained", TROUBLE
            if options.timeout and now - start > options.timeout:
                return f"no end after {options.timeout:g} s", TIMEOUT
            if options.stall and now - last_news > options.stall:
                return f"no output for {options.stall:g} s", TIMEOUT

    def _type(self, qemu, data, sources):
        """Hands typed bytes to the guest. Returns whether the machine may go on."""
        if not data:
            sources.remove(self._input_fd)
            return True
        self._interrupts += data.count(b"\x03")
        if self._interrupts >= (3 if self._options.tty else 1):
            return False
        try:
            qemu.stdin.write(data)
        except BrokenPipeError:
            pass  # the machine is going down; its closed output ends the loop
        return True

    def _sizes(self):
        return [os.path.getsize(self._file(name)) if os.path.exists(self._file(name)) else 0
                for name in ("console", "ctl")]

    def _read(self, name):
        try:
            with open(self._file(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def _result(self, why, code, qemu_code):
        console = self._read("console")
        exit_code, boot_seconds, missing = self._take_ctl(self._read("ctl"))
        complaint = TROUBLE_LINE.search(console)
        if complaint:
            text = complaint.group(0).decode(errors="replace").strip()
            return Result(TROUBLE, f"the kernel complained: {text}", console,
                          boot_seconds=boot_seconds, missing=missing)
        if why:
            return Result(code, why, console, boot_seconds=boot_seconds, missing=missing)
        if exit_code is None:
            errors = self._read("qemu").decode(errors="replace").strip()
            why = f"the machine ended without a result (QEMU exit {qemu_code}) {errors}".strip()
            return Result(TROUBLE, why, console, boot_seconds=boot_seconds)
        return Result(exit_code, "", console, boot_seconds=boot_seconds, missing=missing)

    def _take_ctl(self, data):
        """Reads the guest's report and writes the files in it. Returns (exit code or None, boot
        seconds, host paths that got no file)."""
        wanted = [pair.split(":", 1)[1] for pair in self._options.get]
        missing, exit_code, boot_seconds = list(wanted), None, 0.0
        while data:
            line, _, data = data.partition(b"\n")
            word, _, value = line.partition(b" ")
            if word == b"booted":
                boot_seconds = float(value.split()[0])
            elif word == b"file":
                size, host = int(value), wanted.pop(0)
                if size == len(data[:size]):
                    with open(host, "wb") as out:
                        out.write(data[:size])
                    missing.remove(host)
                data = data[size:]
            elif word == b"missing":
                wanted.pop(0)
            elif word == b"exit":
                exit_code = int(value)
        return exit_code, boot_seconds, missing


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
