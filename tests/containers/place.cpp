// SPDX-License-Identifier: Apache-2.0
// Runs a command in other surroundings than the test's own, as container runtimes make them, and ends as it
// does. What it makes ends with it: namespaces, the mounts in them, and every process that is in them.
//
//   place OPTION... -- COMMAND...        the options take effect one after the other
//
// clang-format off
//   new=pid,mount,user,net   namespaces of its own; user: root inside, nobody special outside
//   join=PID                 the PID, mount and network namespaces and the root of that process, as docker exec does
//   join-pid=PID             the PID namespace of that process alone, as a debug container does
//   init                     the command is a child of process 1, and not process 1 itself
//   proc, proc=hidepid       /proc of the PID namespace that the command is in; hiding other users' processes
//   hide=PATH                an empty folder over a folder, /dev/null over a file
//   bind=DIR                 a mount of its own, that read-only leaves alone
//   read-only                the root is mounted read-only
//   root=DIR, chroot=DIR     its root, by pivot_root or by chroot
//   overlay=LOWER            an overlay of LOWER with an empty upper layer as the root, with the test's /proc, /sys,
//                            /dev and /tmp
//   cgroup=DIR               a member of that cgroup
//   uid=N                    that user and group
//   filter                   a seccomp filter that knows neither uprobe nor uretprobe, as runtimes' lists do
// clang-format on
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kCantPlace = 125;

[[noreturn]] void fail(const std::string& doing) {
  std::fprintf(stderr, "place: %s: %s\n", doing.c_str(), std::strerror(errno));
  _exit(kCantPlace);
}
void must(bool done, const std::string& doing) {
  if (!done) fail(doing);
}

void write_text(const std::string& path, const std::string& text) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  must(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "write " + path);
  close(fd);
}

pid_t running = 0;
void hand_on(int signal) {
  if (running > 0) kill(running, signal);
}

// The rest goes on in a child; we wait for it and end alike. It doesn't outlive us.
void go_on_in_child() {
  for (int signal : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    action.sa_handler = hand_on;
    sigaction(signal, &action, nullptr);
  }
  sigset_t handed_on, before;
  sigemptyset(&handed_on);
  sigaddset(&handed_on, SIGINT);
  sigaddset(&handed_on, SIGTERM);
  sigprocmask(SIG_BLOCK, &handed_on, &before);
  pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return;
  }
  running = child;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  for (;;) {
    int status = 0;
    pid_t ended = waitpid(-1, &status, 0);  // as process 1 we have orphans too
    if (ended != child && (ended >= 0 || errno == EINTR)) continue;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

int flag_of(std::string_view name) {
  if (name == "pid") return CLONE_NEWPID;
  if (name == "mount") return CLONE_NEWNS;
  if (name == "user") return CLONE_NEWUSER;
  if (name == "net") return CLONE_NEWNET;
  errno = EINVAL;
  fail("namespace " + std::string(name));
}

void make_namespaces(std::string_view names) {
  int flags = 0;
  uid_t uid = geteuid();
  for (std::size_t at = 0; at < names.size();) {
    std::size_t end = std::min(names.find(',', at), names.size());
    flags |= flag_of(names.substr(at, end - at));
    at = end + 1;
  }
  must(unshare(flags) == 0, "unshare");
  if (flags & CLONE_NEWUSER) {
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  }
  if (flags & CLONE_NEWNS)
    must(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  if (flags & CLONE_NEWPID) go_on_in_child();
}

void join(const std::string& pid) {
  std::string of = "/proc/" + pid;
  std::vector<int> namespaces;
  for (const char* name : {"/ns/pid", "/ns/net", "/ns/mnt"}) {
    namespaces.push_back(open((of + name).c_str(), O_RDONLY | O_CLOEXEC));
    must(namespaces.back() >= 0, "open " + of + name);
  }
  int root = open((of + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  must(root >= 0, "open its root");
  for (int ns : namespaces) must(setns(ns, 0) == 0, "setns");
  must(fchdir(root) == 0 && chroot(".") == 0 && chdir("/") == 0, "enter its root");
  go_on_in_child();
}

// As a debug container does it: the processes are seen, and nothing else of it is shared.
void join_pid_namespace(const std::string& pid) {
  int ns = open(("/proc/" + pid + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC);
  must(ns >= 0 && setns(ns, CLONE_NEWPID) == 0, "join the PID namespace of " + pid);
  go_on_in_child();
}

void mount_proc(const char* how) {
  must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, how) == 0, "mount /proc");
}

void hide(const std::string& path) {
  struct stat st {};
  must(stat(path.c_str(), &st) == 0, path);
  if (S_ISDIR(st.st_mode))
    must(mount("none", path.c_str(), "tmpfs", 0, "size=64k") == 0, "hide " + path);
  else
    must(mount("/dev/null", path.c_str(), nullptr, MS_BIND, nullptr) == 0, "hide " + path);
}

void enter_root(const std::string& root) {
  must(mount(root.c_str(), root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind " + root);
  must(chdir(root.c_str()) == 0, root);
  must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
  must(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "leave the old root");
}

void bind_mount(const std::string& from, const std::string& to) {
  must(mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind " + from);
}

// The upper layer lies in memory of the mount namespace, so that nothing is left of it.
void enter_overlay(const std::string& lower) {
  const std::string kLayers = "/mnt";
  must(mount("none", kLayers.c_str(), "tmpfs", 0, nullptr) == 0, "layers");
  for (const char* part : {"/upper", "/work", "/root"})
    must(mkdir((kLayers + part).c_str(), 0755) == 0, part);
  std::string how = "lowerdir=" + lower + ",upperdir=" + kLayers + "/upper,workdir=" + kLayers + "/work";
  must(mount("overlay", (kLayers + "/root").c_str(), "overlay", 0, how.c_str()) == 0, "mount overlay");
  for (const char* folder : {"/proc", "/sys", "/dev", "/tmp"}) bind_mount(folder, kLayers + "/root" + folder);
  enter_root(kLayers + "/root");
}

void become_user(const std::string& id) {
  uid_t uid = static_cast<uid_t>(std::atoi(id.c_str()));
  must(setgroups(0, nullptr) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0,
       "setuid");
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // forgotten with the user
}

// What a list of allowed calls that is older than the kernel says to uretprobe (335) and uprobe (336).
void install_filter() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 335, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 336, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{sizeof code / sizeof *code, code};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

struct Option {
  std::string_view name;
  std::function<void(const std::string& value)> apply;
};
const Option kOptions[] = {
    {"new", [](const std::string& value) { make_namespaces(value); }},
    {"join", [](const std::string& value) { join(value); }},
    {"join-pid", [](const std::string& value) { join_pid_namespace(value); }},
    {"init", [](const std::string&) { go_on_in_child(); }},
    {"proc", [](const std::string& value) { mount_proc(value == "hidepid" ? "hidepid=2" : nullptr); }},
    {"hide", [](const std::string& value) { hide(value); }},
    {"bind", [](const std::string& value) { bind_mount(value, value); }},
    {"read-only",
     [](const std::string&) {
       must(mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0, "read-only root");
     }},
    {"root", [](const std::string& value) { enter_root(value); }},
    {"chroot",
     [](const std::string& value) { must(chroot(value.c_str()) == 0 && chdir("/") == 0, "chroot"); }},
    {"overlay", [](const std::string& value) { enter_overlay(value); }},
    {"cgroup", [](const std::string& value) { write_text(value + "/cgroup.procs", "0"); }},
    {"uid", [](const std::string& value) { become_user(value); }},
    {"filter", [](const std::string&) { install_filter(); }},
};

void apply(std::string_view word) {
  std::string_view name = word.substr(0, word.find('='));
  std::string value(word.size() > name.size() ? word.substr(name.size() + 1) : "");
  for (const Option& option : kOptions)
    if (option.name == name) return option.apply(value);
  errno = EINVAL;
  fail(std::string(word));
}

}  // namespace

int main(int argc, char** argv) {
  int at = 1;
  while (at < argc && std::strcmp(argv[at], "--") != 0) apply(argv[at++]);
  if (at + 1 >= argc) return kCantPlace;
  execvp(argv[at + 1], argv + at + 1);
  fail(std::string("run ") + argv[at + 1]);
}
