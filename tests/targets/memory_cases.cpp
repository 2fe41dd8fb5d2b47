// SPDX-License-Identifier: Apache-2.0
// What people ask of a memory profiler, one question each: memory_cases WAY, between the lines "ready" and "done".
#include "tests/targets/memory_cases.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define NOINLINE [[gnu::noinline]]

// ---- exceptions: a raw buffer stays when the request is bad, and so does the exception ----

static std::vector<std::exception_ptr> errors;
NOINLINE static void validate(int request) {
  if (request % 3 == 0) throw std::runtime_error("bad request number " + std::to_string(request) + ", told at some length");
}
NOINLINE static void parse(int request) {
  char* raw = new char[MC_RAW];
  asm volatile("" ::"r"(raw) : "memory");
  validate(request);
  delete[] raw;
}
static void serve_requests() {
  for (int request = 0; request < MC_REQUESTS; ++request) try {
      parse(request);
    } catch (...) {
      errors.push_back(std::current_exception());
    }
}

// ---- a leak and a cache that retain the same ----

static std::map<int, char*> sessions;
static char* volatile last;
NOINLINE static void lost() {
  last = new char[MC_ENTRY];
  memset(last, 1, MC_ENTRY);
}
NOINLINE static void cached(int key) {
  char* entry = new char[MC_ENTRY];
  memset(entry, 1, MC_ENTRY);
  sessions[key] = entry;
}
static void lose_and_cache() {
  for (int i = 0; i < MC_ENTRIES; ++i) lost(), cached(i);
}

// ---- a cache that is full: each new entry takes the place of the oldest ----

static std::map<int, char*> entries;
NOINLINE static void fill_cache() {
  for (int i = 0; i < MC_CACHE_ROUNDS; ++i) {
    char* entry = new char[MC_ENTRY];
    memset(entry, 1, MC_ENTRY);
    entries[i] = entry;
    if (entries.size() <= MC_CACHE_ENTRIES) continue;
    delete[] entries.begin()->second;
    entries.erase(entries.begin());
  }
}

// ---- a few that stay among many that were freed: hardly a page is free as a whole ----

static std::map<int, char*> fragments;
NOINLINE static void leave_fragments() {
  for (int i = 0; i < MC_FRAGMENTS; ++i) {
    fragments[i] = new char[MC_FRAGMENT];
    memset(fragments[i], 1, MC_FRAGMENT);
  }
  for (int i = 0; i < MC_FRAGMENTS; ++i) {
    if (i % 5 == 0) continue;
    delete[] fragments[i];
    fragments.erase(i);
  }
}

// ---- as distributions build: optimized at link time ----

class Registry {
 public:
  NOINLINE void add(int key) { all_[key] = std::make_shared<std::string>(MC_NAME, 'x'); }

 private:
  std::map<int, std::shared_ptr<std::string>> all_;
};
static Registry registry;
NOINLINE static void accept_client(int key) {
  registry.add(key);
  asm volatile("");
}
static void accept_clients() {
  for (int i = 0; i < MC_CLIENTS; ++i) accept_client(i);
}

// ---- a program that trusts nobody: nobody's, not dumpable, killed for most system calls ----

static void give_everything_up() {
#define ALLOWED(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
  if (geteuid() == 0 && (setgroups(0, nullptr) || setgid(65534) || setuid(65534))) abort();
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), ALLOWED(__NR_read), ALLOWED(__NR_write),
                          ALLOWED(__NR_exit_group), ALLOWED(__NR_brk), ALLOWED(__NR_newfstatat), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) abort();
}
NOINLINE static void keep() {
  auto* kept = static_cast<char*>(malloc(MC_KEEP));
  memset(kept, 1, MC_KEEP);
  asm volatile("" ::"r"(kept) : "memory");
}
static void keep_all() {
  for (int i = 0; i < MC_KEPT; ++i) keep();
}

static const struct {
  const char* name;
  void (*before)();
  void (*work)();
} ways[] = {
    {"throws", nullptr, serve_requests},
    {"leak_and_cache", nullptr, lose_and_cache},
    {"cache", nullptr, fill_cache},
    {"fragments", nullptr, leave_fragments},
    {"optimized", nullptr, accept_clients},
    {"distrusts", give_everything_up, keep_all},
};

int main(int argc, char** argv) {
  char line[16];
  for (const auto& way : ways) {
    if (argc < 2 || strcmp(way.name, argv[1])) continue;
    free(malloc(1000));
    if (way.before) way.before();
    puts("ready");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    way.work();
    puts("done");
    fflush(stdout);
    (void)!fgets(line, sizeof line, stdin);
    return 0;
  }
  fputs("no such way\n", stderr);
  return 2;
}
