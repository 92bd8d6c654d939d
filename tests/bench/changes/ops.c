/* SPDX-License-Identifier: Apache-2.0 */
/* ops NAME FOLDER [denied]: one line for each change of a file, for a mount, a BPF map, and for
 * what is done to a process of user 7: NAME, call, the median of its nanoseconds, whether it was
 * done or refused. With `denied` nothing is put right between two tries: FOLDER has f, h and the
 * directories d and m already, and keeps them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define TRIES 400

static const char* set;
static int denied;
static long took[TRIES];

static int by_value(const void* a, const void* b) {
  long x = *(const long*)a, y = *(const long*)b;
  return (x > y) - (x < y);
}

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000l + t.tv_nsec;
}

#define TIME(name, prepare, call)                                  \
  do {                                                             \
    int refused = 0, failed = 0;                                   \
    for (int i = 0; i < TRIES; i++) {                              \
      if (!denied) {                                               \
        prepare;                                                   \
      }                                                            \
      long start = now();                                          \
      long result = (call);                                        \
      took[i] = now() - start;                                     \
      if (result < 0) *(errno == EPERM ? &refused : &failed) += 1; \
    }                                                              \
    qsort(took, TRIES, sizeof(took[0]), by_value);                 \
    printf("%s %s %ld %s\n", set, name, took[TRIES / 2],           \
           failed             ? "FAILED"                           \
           : refused == TRIES ? "refused"                          \
           : refused          ? "MIXED"                            \
                              : "done");                                    \
  } while (0)

static long create(const char* path) {
  int fd = open(path, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0) close(fd);
  return fd;
}

static long map(int fd) {
  void* at = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return -1;
  munmap(at, 4096);
  return 0;
}

static long word = 1;

static pid_t start_target(void) {
  int ready[2];
  char byte;
  if (pipe(ready)) exit(2);
  pid_t child = fork();
  if (child == 0) {
    if (setuid(7) || write(ready[1], "", 1) != 1) exit(2);
    for (;;) pause();
  }
  if (read(ready[0], &byte, 1) != 1) exit(2);
  return child;
}

static long read_memory(pid_t target) {
  long copy;
  struct iovec mine = {&copy, sizeof(copy)}, theirs = {&word, sizeof(word)};
  return process_vm_readv(target, &mine, 1, &theirs, 1, 0);
}

/* Its id; it stays as long as this program. Where nobody may make one: any that there is. */
static unsigned own_map(void) {
  union bpf_attr attr = {
      .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  long map = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
  struct bpf_map_info info = {0};
  union bpf_attr ask = {.info = {.bpf_fd = map, .info_len = sizeof(info), .info = (long)&info}};
  if (map >= 0 && !syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &ask, sizeof(ask))) return info.id;
  union bpf_attr any = {.start_id = 0};
  return syscall(SYS_bpf, BPF_MAP_GET_NEXT_ID, &any, sizeof(any)) ? 0 : any.next_id;
}

static long get_map(unsigned id) {
  union bpf_attr attr = {.map_id = id};
  long map = syscall(SYS_bpf, BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
  return map < 0 ? -1 : close(map);
}

int main(int argc, char** argv) {
  if (argc < 3 || chdir(argv[2])) return 2;
  set = argv[1];
  denied = argc > 3;
  int fd = open("f", O_RDWR);
  TIME("chmod", (void)0, chmod("f", 0644 | (i & 1)));
  TIME("chown", (void)0, chown("f", i & 1, 0));
  TIME("truncate", (void)0, truncate("f", i & 7));
  TIME("setxattr", (void)0, setxattr("f", "trusted.x", "y", 1, 0));
  TIME("mmap_exec", (void)0, map(fd));
  TIME("link", unlink("n"), link("f", "n"));
  TIME("symlink", unlink("n"), symlink("x", "n"));
  TIME("mknod", unlink("n"), mkfifo("n", 0644));
  TIME("create", unlink("n"), create("n"));
  if (!denied) unlink("n");
  TIME("mkdir", rmdir("n"), mkdir("n", 0755));
  if (!denied) rmdir("n");
  TIME("unlink", create("h"), unlink("h"));
  TIME("rename", (create("h"), unlink("n")), rename("h", "n"));
  if (!denied) unlink("n");
  TIME("rmdir", mkdir("d", 0755), rmdir("d"));
  TIME("mount", umount2("m", MNT_DETACH), mount("none", "m", "tmpfs", 0, NULL));
  umount2("m", MNT_DETACH);
  unsigned map_id = own_map();
  TIME("bpf_map", (void)0, get_map(map_id));
  pid_t target = start_target();
  TIME("kill", (void)0, kill(target, 0));
  TIME("process_vm_readv", (void)0, read_memory(target));
  kill(target, SIGKILL);
  return 0;
}
