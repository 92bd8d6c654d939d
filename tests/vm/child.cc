// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/child.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "fmt/format.h"

namespace kentry::vm {
namespace {

constexpr int kFailed = 99;
// Behind the low ones: a child's action may use descriptors as it likes.
constexpr int kNumbersFd = 900;

std::pair<Fd, Fd> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    std::perror("pipe2");
    std::abort();
  }
  return {Fd(ends[0]), Fd(ends[1])};
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string LinkTarget(const std::string& path) {
  char target[8192];
  const ssize_t len = readlink(path.c_str(), target, sizeof(target));
  return len < 0 ? "" : std::string(target, static_cast<size_t>(len));
}

void ReadStatus(const std::string& folder, ProcFacts* facts) {
  std::ifstream file(folder + "status");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "PPid:") words >> facts->parent;
    if (key == "Uid:") words >> facts->uid[0] >> facts->uid[1] >> facts->uid[2] >> facts->uid[3];
    if (key == "Gid:") words >> facts->gid[0] >> facts->gid[1] >> facts->gid[2] >> facts->gid[3];
    if (key == "NSpid:") {
      while (words >> facts->ns_pid) {  // the last one is the innermost
        if (words.peek() == EOF) break;
      }
    }
    if (key == "NoNewPrivs:") words >> facts->no_new_privs;
    words >> std::hex;
    if (key == "CapInh:") words >> facts->cap_inheritable;
    if (key == "CapPrm:") words >> facts->cap_permitted;
    if (key == "CapEff:") words >> facts->cap_effective;
    if (key == "CapBnd:") words >> facts->cap_bounding;
    if (key == "CapAmb:") words >> facts->cap_ambient;
  }
}

void ReadNamespaces(pid_t pid, ProcFacts* facts) {
  facts->ns_mnt = NamespaceOf(pid, "mnt");
  facts->ns_pid_ns = NamespaceOf(pid, "pid");
  facts->ns_net = NamespaceOf(pid, "net");
  facts->ns_uts = NamespaceOf(pid, "uts");
  facts->ns_ipc = NamespaceOf(pid, "ipc");
  facts->ns_user = NamespaceOf(pid, "user");
  facts->ns_cgroup = NamespaceOf(pid, "cgroup");
  facts->ns_time = NamespaceOf(pid, "time");
}

uint64_t NumberIn(const std::string& path) {
  return std::strtoull(ReadFile(path).c_str(), nullptr, 10);
}

// All children whose pipes are open here. A new child closes them: it would keep the others from
// seeing the end of theirs.
std::set<Child*>& Others() {
  static auto* others = new std::set<Child*>;
  return *others;
}

}  // namespace

Child::Child(const std::function<int()>& action) {
  auto [input_read, input_write] = MakePipe();
  auto [numbers_read, numbers_write] = MakePipe();
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(input_read.get(), STDIN_FILENO);
    dup3(numbers_write.get(), kNumbersFd, O_CLOEXEC);
    for (Child* other : Others()) other->ClosePipes();
    input_write = Fd();
    numbers_write = Fd();
    numbers_read = Fd();
    const int code = action();
    std::fflush(nullptr);
    _exit(code);
  }
  if (pid_ < 0) std::perror("fork");
  input_ = std::move(input_write);
  numbers_ = std::move(numbers_read);
  Others().insert(this);
}

Child::~Child() {
  Others().erase(this);
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

std::optional<int64_t> Child::Next() {
  int64_t number = 0;
  ssize_t got = 0;
  do {
    got = read(numbers_.get(), &number, sizeof(number));
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(number)) return std::nullopt;
  return number;
}

int Child::Wait(rusage* usage) {
  int status = -1;
  rusage ignored;
  while (wait4(pid_, &status, 0, usage != nullptr ? usage : &ignored) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

int Child::Finish() {
  Release();
  return Wait();
}

int64_t Must(int64_t result, const char* what) {
  if (result >= 0) return result;
  const int err = errno;
  std::fprintf(stderr, "in the child: %s: %s\n", what, std::strerror(err));
  Tell(-err);
  _exit(kFailed);
}

void Tell(int64_t number) {
  if (write(kNumbersFd, &number, sizeof(number)) != sizeof(number)) _exit(kFailed);
}

void PinToCpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  Must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

void TellNoMore() { close(kNumbersFd); }

void Exec(const Program& program) {
  std::vector<char*> args = Pointers(program.args);
  std::vector<char*> env = Pointers(program.env);
  if (program.fd >= 0) {
    Must(syscall(SYS_execveat, program.fd, "", args.data(), env.data(), AT_EMPTY_PATH), "execveat");
  }
  Must(execve(program.path.c_str(), args.data(), env.data()), "execve");
  _exit(kFailed);
}

int InClone(uint64_t flags, const std::function<int()>& action) {
  clone_args args{};
  args.flags = flags;
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(Must(syscall(SYS_clone3, &args, sizeof(args)), "clone3"));
  if (pid == 0) _exit(action());
  Tell(pid);
  TellNoMore();
  int status = 0;
  Must(waitpid(pid, &status, 0), "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : kFailed;
}

void WriteFile(const std::string& path, const std::string& text) {
  const Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
  if (!fd.valid() || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    std::fprintf(stderr, "write %s: %s\n", path.c_str(), std::strerror(errno));
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void CopyFile(const std::string& from, const std::string& to, mode_t mode) {
  WriteFile(to, ReadFile(from));
  chmod(to.c_str(), mode);
}

std::string NewFolder() {
  static int count = 0;
  std::string path = fmt::format("/tmp/vm-{}", ++count);
  mkdir(path.c_str(), 0755);
  return path;
}

ProcFacts ProcFacts::Of(pid_t pid) {
  ProcFacts facts;
  const std::string folder = fmt::format("/proc/{}/", pid);
  facts.pid = static_cast<uint64_t>(pid);
  ReadStatus(folder, &facts);
  ReadNamespaces(pid, &facts);
  const std::string stat_line = ReadFile(folder + "stat");
  std::istringstream words(stat_line.substr(stat_line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) words >> skipped;
  words >> facts.start_ticks;
  facts.name = ReadFile(folder + "comm");
  if (!facts.name.empty()) facts.name.pop_back();
  facts.cmdline = ReadFile(folder + "cmdline");
  facts.login_uid = NumberIn(folder + "loginuid");
  facts.session = NumberIn(folder + "sessionid");
  facts.exe = LinkTarget(folder + "exe");
  facts.cwd = LinkTarget(folder + "cwd");
  struct stat file {};
  if (stat((folder + "exe").c_str(), &file) == 0) {
    facts.exe_dev = uint64_t{major(file.st_dev)} << 20 | minor(file.st_dev);
    facts.exe_ino = file.st_ino;
    facts.exe_mode = file.st_mode;
  }
  std::ifstream groups(folder + "cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.starts_with("0::")) facts.cgroup = line.substr(3);
  }
  if (stat(("/sys/fs/cgroup" + facts.cgroup).c_str(), &file) == 0) facts.cgroup_id = file.st_ino;
  return facts;
}

uint64_t NamespaceOf(pid_t pid, const char* name) {
  const std::string link = LinkTarget(fmt::format("/proc/{}/ns/{}", pid, name));  // "mnt:[123]"
  const size_t open = link.find('[');
  return open == std::string::npos ? 0 : std::strtoull(link.c_str() + open + 1, nullptr, 10);
}

std::string KernelVersion() {
  utsname name{};
  uname(&name);
  const std::string release = name.release;
  const size_t minor_at = release.find('.') + 1;
  return release.substr(0, release.find_first_not_of("0123456789", minor_at));
}

}  // namespace kentry::vm
