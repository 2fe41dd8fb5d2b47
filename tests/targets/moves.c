/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that goes elsewhere while it is looked at, and loads a library there.
 *
 *   moves HOW FOLDER    FOLDER/library.so is loaded; FOLDER/there is an empty folder to mount on
 *
 * Says "ready", waits; moves and says "loaded"; then, line by line: "touch" calls into the library and
 * answers "touched", "keep" answers "done"; then waits and ends. Of those that fork, the child waits for a
 * byte in between.
 */
#define _GNU_SOURCE
#include "tests/targets/moves.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/truth.h"

DEFINE_TRUTH();

static char folder[512], path[600];

SCENARIO void keep_before_move(void) {
  for (int i = 0; i < 6; i++) keep(malloc(90));
}
SCENARIO void keep_in_moved_child(void) {
  for (int i = 0; i < 4; i++) keep(malloc(72));
}

static const char* in_folder(const char* name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void copy(const char* from, const char* to) {
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0755);
  struct stat st;
  check(in >= 0 && out >= 0 && !fstat(in, &st), "open the library");
  check(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size, "copy the library");
  close(in), close(out);
}

/* A file system that nobody else has, with the library in it. */
static void mount_there(void) {
  char from[600];
  check(!unshare(CLONE_NEWNS), "unshare");
  check(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
  check(!mount("none", in_folder("there"), "tmpfs", 0, NULL), "mount");
  snprintf(from, sizeof from, "%s/library.so", folder);
  copy(from, in_folder("there/library.so"));
}

static const char* by_unshare(void) {
  mount_there();
  return in_folder("there/library.so");
}
static const char* by_chroot(void) {
  check(!chroot(folder) && !chdir("/"), "chroot");
  return "/library.so";
}
static const char* by_pivot_root(void) {
  mount_there();
  check(!chdir(in_folder("there")) && !syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(!umount2(".", MNT_DETACH) && !chdir("/"), "leave the old root");
  return "/library.so";
}
static const char* by_user_namespace(void) {
  check(!unshare(CLONE_NEWUSER), "unshare");
  return in_folder("library.so");
}
/* Into the mount namespace of a process that has made one. */
static const char* by_setns(void) {
  int made[2], go[2];
  char c, ns[64];
  check(!pipe2(made, O_CLOEXEC) && !pipe2(go, O_CLOEXEC), "pipe");
  pid_t other = fork();
  if (other == 0) {
    mount_there();
    check(write(made[1], "!", 1) == 1 && read(go[0], &c, 1) == 1, "say that it is made");
    _exit(0);
  }
  check(read(made[0], &c, 1) == 1, "wait for the other");
  snprintf(ns, sizeof ns, "/proc/%d/ns/mnt", other);
  int fd = open(ns, O_RDONLY | O_CLOEXEC);
  check(fd >= 0 && !setns(fd, CLONE_NEWNS), "setns");
  close(fd);
  check(write(go[1], "!", 1) == 1 && waitpid(other, NULL, 0) == other, "end the other");
  return in_folder("there/library.so");
}
static const char* by_nothing(void) { return in_folder("library.so"); }

static void (*touch)(void), (*keep_late)(void);

static void load(const char* library, int deletes) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  check(handle != NULL, "dlopen");
  touch = (void (*)(void))dlsym(handle, "touch_in_moved_library");
  keep_late = (void (*)(void))dlsym(handle, "keep_in_moved_library");
  if (deletes) check(!unlink(library), "delete the library");
}

/* A child that waits for a line, keeps, waits for another, and ends. */
static void run_child(pid_t chosen) {
  struct clone_args how = {.exit_signal = SIGCHLD,
                           .set_tid = chosen ? (__u64)(unsigned long)&chosen : 0,
                           .set_tid_size = chosen ? 1 : 0};
  pid_t child = (pid_t)syscall(SYS_clone3, &how, sizeof how);
  check(child >= 0, "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    say("child waits\n");
    wait_for_line();
    keep_in_moved_child();
    say("child did it\n");
    wait_for_line();
    _exit(0);
  }
  check(waitpid(child, NULL, 0) == child, "wait for the child");
}

static int is(const char* how, const char* name) { return !strcmp(how, name); }

static int move(const char* how) {
  static const struct {
    const char* name;
    const char* (*go)(void);
  } moves[] = {{"unshare", by_unshare},     {"chroot", by_chroot}, {"pivot_root", by_pivot_root},
               {"user", by_user_namespace}, {"setns", by_setns},   {"delete", by_nothing}};
  for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
    if (!is(how, moves[i].name)) continue;
    load(moves[i].go(), is(how, "delete"));
    return 1;
  }
  return 0;
}

static void use_library(void) {
  char line[16];
  say("loaded\n");
  for (;;) {
    ssize_t size = read(0, line, sizeof line);
    check(size > 0, "read a line");
    if (line[0] == 'k') break;
    touch();
    say("touched\n");
  }
  keep_late();
}

int main(int argc, char** argv) {
  check(argc == 3, "usage: moves HOW FOLDER");
  snprintf(folder, sizeof folder, "%s", argv[2]);
  say("ready\n");
  wait_for_line();
  keep_before_move();
  if (is(argv[1], "reuse-pid")) {
    for (int i = 0; i < REUSING_CHILDREN; i++) run_child(REUSED_PID);
  } else if (is(argv[1], "fork-in-pid-namespace")) {
    check(!unshare(CLONE_NEWPID), "unshare");
    run_child(0);
  } else {
    check(move(argv[1]), "no such way to move");
    use_library();
  }
  say("done\n");
  wait_for_line();
  return 0;
}
