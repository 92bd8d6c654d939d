// SPDX-License-Identifier: Apache-2.0
// What the bench of cost measures with. Runs one kind of operation many times and prints one line:
//
//   exec n=1000 wall=581034 inline=552790 median=552731 daemon=28244 drained=28990
//
// hold and peak are for the bench of memory and print a line of their own.
// All in nanoseconds an operation, which are guest instructions under QEMU's -icount. inline: CPU
// time of this process and its children, mean; median: the same as the median of up to 20 batches,
// which a burst of deferred kernel work does not move; daemon: CPU time of the watched processes
// while the operations ran; drained: the same with the time given to them afterwards.
// Static, so that an exec's cost is the kernel's and not the dynamic loader's.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxBatches = 20, kMinBatch = 50, kMaxPids = 16 };

typedef long long ns_t;

struct job {
  const char* name;
  long count;
  char** args;   // what follows the count
  int listener;  // connect only
};

static void die(const char* what) {
  perror(what);
  exit(1);
}

static ns_t clock_ns(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now)) die("clock_gettime");
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static ns_t children_ns(void) {
  struct rusage use;
  if (getrusage(RUSAGE_CHILDREN, &use)) die("getrusage");
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000LL +
         (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000LL;
}

static ns_t own_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns(); }

// CPU time of all threads of a process that is alive; of one that has gone, 0.
static ns_t process_ns(int pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/task", pid);
  DIR* const tasks = opendir(path);
  if (!tasks) return 0;
  ns_t sum = 0;
  for (struct dirent* task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    char file[384];
    snprintf(file, sizeof(file), "%s/%s/schedstat", path, task->d_name);
    FILE* const stat = fopen(file, "re");
    ns_t ran = 0;
    if (stat && fscanf(stat, "%lld", &ran) == 1) sum += ran;
    if (stat) fclose(stat);
  }
  closedir(tasks);
  return sum;
}

static int pids[kMaxPids];
static int pid_count;

static ns_t daemon_ns(void) {
  ns_t sum = 0;
  for (int i = 0; i < pid_count; ++i) sum += process_ns(pids[i]);
  return sum;
}

// Arguments as they are common: a program and a file.
static void run_exec(const struct job* job, long count) {
  char* const argv[] = {job->args[0], "--option=value", "/tmp/some/file", NULL};
  char* const envp[] = {"PATH=/usr/bin:/bin", NULL};
  while (count-- > 0) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      execve(job->args[0], argv, envp);
      _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child) die("waitpid");
    if (status) {
      fprintf(stderr, "workload: %s ended with status %d\n", job->args[0], status);
      exit(1);
    }
  }
}

static void run_open(const struct job* job, long count) {
  while (count-- > 0) {
    const int fd = open(job->args[0], O_RDONLY);
    if (fd >= 0)
      close(fd);
    else if (errno != EPERM) /* what a rule denies is measured too */
      die(job->args[0]);
  }
}

static struct sockaddr_in address(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7777)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

static int listen_here(void) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  const struct sockaddr_in at = address();
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, (const struct sockaddr*)&at, sizeof(at)) || listen(fd, 128)) die("listen");
  return fd;
}

// A reset instead of an orderly close: no port stays in TIME_WAIT, however many there are.
static void run_connect(const struct job* job, long count) {
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  const struct sockaddr_in to = address();
  while (count-- > 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(fd, (const struct sockaddr*)&to, sizeof(to))) die("connect");
    const int peer = accept(job->listener, NULL, NULL);
    close(fd);
    close(peer);
  }
}

// `count` operations of a script that takes their number as its argument.
static void run_script(const struct job* job, long count) {
  char number[24];
  snprintf(number, sizeof(number), "%ld", count);
  char* const argv[] = {job->args[0], job->args[1], number, NULL};
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    execv(job->args[0], argv);
    _exit(127);
  }
  int status;
  if (waitpid(child, &status, 0) != child || status) {
    fprintf(stderr, "workload: %s failed\n", job->args[1]);
    exit(1);
  }
}

// `count` execs by so many processes at once.
static void run_burst(const struct job* job, long count) {
  const struct job part = {.name = job->name, .args = job->args + 1};
  const int processes = atoi(job->args[0]);
  for (int i = 0; i < processes; ++i) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
      run_exec(&part, count / processes);
      _exit(0);
    }
  }
  for (int status; wait(&status) > 0;) {
    if (status) exit(1);
  }
}

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

// `count` processes that sleep until this one ends.
static int hold(long count) {
  const pid_t self = getpid();
  for (long i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child > 0) continue;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != self) _exit(1);
    while (1) pause();
  }
  printf("hold n=%ld\n", count);
  fflush(stdout);
  pause();
  return 0;
}

enum { kSlab, kVmalloc, kPercpu, kKinds };

// Bytes that the kernel has in slabs, mappings of its own and per CPU; returns their sum. The
// counters that they come from are gathered first: each CPU keeps some pages back.
static ns_t kernel_bytes(int refresh, int info, ns_t kinds[kKinds]) {
  static const char* const kKeys[kKinds] = {"Slab:", "VmallocUsed:", "Percpu:"};
  char text[8192];
  if (pread(refresh, text, sizeof(text), 0) < 0) die("stat_refresh");
  const ssize_t len = pread(info, text, sizeof(text) - 1, 0);
  if (len <= 0) die("meminfo");
  text[len] = 0;
  ns_t sum = 0;
  for (int i = 0; i < kKinds; ++i) {
    const char* const at = strstr(text, kKeys[i]);
    if (!at) {
      fprintf(stderr, "workload: /proc/meminfo has no %s\n", kKeys[i]);
      exit(1);
    }
    kinds[i] = atoll(at + strlen(kKeys[i])) * 1024;
    sum += kinds[i];
  }
  return sum;
}

// The most of it at one time until SIGTERM, looked at every two milliseconds; 0 = once.
static int peak(long watch) {
  const int refresh = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
  const int info = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
  if (refresh < 0 || info < 0) die("/proc");
  signal(SIGTERM, end);
  long looks = 0;
  ns_t most = 0, kinds[kKinds];
  do {
    const ns_t now = kernel_bytes(refresh, info, kinds);
    if (now > most) most = now;
    ++looks;
  } while (watch && !ended && (usleep(2000) == 0 || errno == EINTR));
  printf("peak n=%ld bytes=%lld; last slab=%lld vmalloc=%lld percpu=%lld\n", looks, most,
         kinds[kSlab], kinds[kVmalloc], kinds[kPercpu]);
  return 0;
}

static int compare(const void* a, const void* b) {
  const ns_t left = *(const ns_t*)a, right = *(const ns_t*)b;
  return (left > right) - (left < right);
}

static void measure(void (*run)(const struct job*, long), const struct job* job, long drain_ms,
                    long batches) {
  ns_t batch[kMaxBatches];
  const long per_batch = job->count / batches;
  const long count = per_batch * batches;
  const ns_t daemon_before = daemon_ns();
  const ns_t wall_before = clock_ns(CLOCK_MONOTONIC);
  const ns_t own_before = own_ns();
  ns_t last = own_before;
  for (long i = 0; i < batches; ++i) {
    run(job, per_batch);
    const ns_t now = own_ns();
    batch[i] = (now - last) / per_batch;
    last = now;
  }
  const ns_t wall = clock_ns(CLOCK_MONOTONIC) - wall_before;
  const ns_t daemon = daemon_ns() - daemon_before;
  usleep((useconds_t)drain_ms * 1000);
  const ns_t drained = daemon_ns() - daemon_before;
  qsort(batch, (size_t)batches, sizeof(batch[0]), compare);
  printf("%s n=%ld wall=%lld inline=%lld median=%lld daemon=%lld drained=%lld\n", job->name, count,
         wall / count, (last - own_before) / count, batch[batches / 2], daemon / count,
         drained / count);
}

static int usage(void) {
  fprintf(stderr,
          "usage: workload [-p PID]... [-d DRAIN_MS] OPERATION\n"
          "exec N PROGRAM | open N FILE | connect N | script N SHELL SCRIPT |\n"
          "burst N PROCESSES PROGRAM | idle SECONDS | hold PROCESSES | peak 0 or 1\n");
  return 2;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(const struct job*, long);
    int args;
    int whole;  // not divisible into batches
  } operations[] = {
      {"exec", run_exec, 1, 0},     {"open", run_open, 1, 0},   {"connect", run_connect, 0, 0},
      {"script", run_script, 2, 1}, {"burst", run_burst, 2, 1},
  };
  long drain_ms = 2000;
  for (int option; (option = getopt(argc, argv, "+p:d:")) != -1;) {
    if (option == 'p' && pid_count < kMaxPids) {
      pids[pid_count++] = atoi(optarg);
    } else if (option == 'd') {
      drain_ms = atol(optarg);
    } else {
      return usage();
    }
  }
  if (argc - optind < 2) return usage();
  struct job job = {
      .name = argv[optind], .count = atol(argv[optind + 1]), .args = argv + optind + 2};
  if (!strcmp(job.name, "peak")) return peak(job.count);
  if (job.count <= 0) return usage();
  if (!strcmp(job.name, "hold")) return hold(job.count);
  if (!strcmp(job.name, "idle")) {
    const ns_t before = daemon_ns();
    sleep((unsigned)job.count);
    printf("idle n=%ld daemon=%lld\n", job.count, (daemon_ns() - before) / job.count);
    return 0;
  }
  for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); ++i) {
    if (strcmp(job.name, operations[i].name)) continue;
    if (argc - optind < 2 + operations[i].args) return usage();
    long batches = job.count / kMinBatch;
    if (batches > kMaxBatches) batches = kMaxBatches;
    if (batches < 1 || operations[i].whole) batches = 1;
    if (operations[i].run == run_connect) job.listener = listen_here();
    measure(operations[i].run, &job, drain_ms, batches);
    return 0;
  }
  return usage();
}
