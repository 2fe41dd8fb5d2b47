// SPDX-License-Identifier: Apache-2.0
#include "tests/safety/programs.h"

#include <unistd.h>

#include "tests/end_to_end/harness.h"
#include "tests/end_to_end/truth.h"

namespace dwell::testing {
namespace {

struct Case {
  const char* name;
  const char* output;
  int exit = 0;
};

constexpr Case kThrows[] = {
    {"plain", "threw"},
    {"array", "threw"},
    {"aligned", "threw"},
    {"aligned-array", "threw"},
    {"wrong-alignment", "went on"},
    {"nothrow", "null"},
    {"aligned-nothrow", "null"},
    {"handler-throws", "threw"},
    {"handler-allocates", "threw"},
    {"late-limit", "threw"},
    {"bad-array-length", "threw"},
    {"constructor", "threw"},
    {"rethrown-across-threads", "rethrown"},
    {"through-c-frames", "threw"},
    {"deep", "threw"},
    {"terminate-handler", "terminate handler", 7},
    {"plugin", "caught"},
    {"after-a-throw", "threw"},
};
constexpr Case kOwnNew[] = {{"plain", "threw in time"}, {"aligned", "threw in time"}, {"containers", "threw in time"}};
constexpr Case kCancel[] = {
    {"deferred", "cleaned up"},
    {"handlers", "cleaned up"},
    {"thread-exit", "cleaned up"},
    {"thread-exit-in-operator-new", "cleaned up"},
    {"cancelled-in-operator-new", "cleaned up"},
    {"thread-local-destructors", "cleaned up"},
    {"main-thread-exits", "the last thread"},
};
constexpr Case kJumps[] = {
    {"from-the-depth", "10 jumps"},     {"below-qsort", "left qsort"},      {"below-bsearch", "left bsearch"},
    {"below-tsearch", "left tsearch"},  {"out-of-a-fault", "20 faults"},    {"out-of-an-alarm", "5 alarms"},
    {"setjmp-in-a-loop", "45150"},      {"variable-arrays", "199"},         {"alloca-in-a-loop", "kept"},
    {"deep-recursion", "3000 deep"},
};
constexpr Case kStacks[] = {
    {"contexts", "150 turns"},        {"coroutines-by-hand", "200 turns"}, {"freed-on-another-stack", "freed"},
    {"alternate-stack", "50 signals"}, {"clone-with-a-stack", "42"},
};
constexpr Case kCoroutines[] = {{"generators", "1330"}, {"exceptions", "threw at 45"}};
constexpr Case kSignals[] = {
    {"backtrace-in-a-handler", "30 stacks"}, {"profiler", "sampled"},
    {"crash-report", "signal 11, with a stack", 5}, {"killed-by-a-fault", "before the fault", 139},
    {"children", "5 children"},              {"by-descriptor", "190"},
    {"handlers-in-handlers", "200"},         {"cancelled-anywhere", "cleaned up"},
};
constexpr Case kProcesses[] = {
    {"forks", "10 children"},          {"grandchildren", "9"},    {"fork-handlers", "called"},
    {"vfork-and-exec", "42"},          {"spawn", "42"},           {"shell", "7"},
    {"clone-like-vfork", "8"},         {"forks-beside-threads", "10 children"},
    {"exec-itself", "forty-two"},      {"exec-from-a-thread", "forty-two"},
    {"exec-again-and-again", "15 times"},
};
constexpr Case kLooks[] = {
    {"unwinder", "20 deeper"},        {"backtrace-below-qsort", "sorted"}, {"return-addresses", "in the program"},
    {"own-checksum", "unchanged"},    {"hot-patch", "42"},                 {"generated-code", "1225"},
    {"filtered", "filtered"},         {"strict", "strict", 7},             {"exit-handlers", "registered\nat exit"},
    {"leaves-at-once", "leaves", 6},  {"aborts", "aborts", 134},
};
constexpr Case kSanitized[] = {{"clean", "clean"}, {"caught", "threw"}, {"threads", "3 threads"}};
constexpr Case kRust[] = {{"panics", "5 panics"}, {"threads", "joined 4"}, {"collections", "499500"}};

std::string target(const std::string& name) { return target_binary("safety/" + name); }

class Table {
 public:
  template <std::size_t N>
  void add(const std::string& program, const Case (&cases)[N], const std::string& suffix = "",
           const std::vector<std::string>& environment = {}) {
    if (::access(target(program).c_str(), X_OK) != 0) return;
    for (const Case& one : cases)
      programs.push_back({program + " " + one.name + suffix, {target(program), one.name}, std::string(one.output) + "\n",
                          one.exit, environment});
  }
  void add_script(const std::string& interpreter, const std::vector<std::string>& arguments, const std::string& output) {
    for (const char* folder : {"/usr/bin/", "/usr/local/bin/"}) {
      std::string path = folder + interpreter;
      if (::access(path.c_str(), X_OK) != 0) continue;
      std::vector<std::string> command{path};
      command.insert(command.end(), arguments.begin(), arguments.end());
      programs.push_back({interpreter, command, output, 0, {}, false});
      return;
    }
  }
  std::vector<SafetyProgram> programs;
};

std::string source(const std::string& name) { return DWELL_SAFETY_SOURCES "/" + name; }

}  // namespace

std::vector<SafetyProgram> safety_programs() {
  Table table;
  std::vector<std::string> plugin{"DWELL_CASE_PLUGIN=" + target("libsafety_plugin.so")};
  table.add("safety_throws", kThrows, "", plugin);
  for (const char* allocator : {"libjemalloc.so.2", "libtcmalloc_minimal.so.4"}) {
    if (!is_installed(allocator)) continue;
    std::vector<std::string> environment = plugin;
    environment.push_back(std::string("LD_PRELOAD=") + allocator);
    table.add("safety_throws", kThrows, std::string(" ") + allocator, environment);
  }
  table.add("safety_own_new", kOwnNew);
  table.add("safety_cancel", kCancel);
  table.add("safety_jumps", kJumps);
  table.add("safety_stacks", kStacks);
  table.add("safety_coroutines", kCoroutines);
  table.add("safety_signals", kSignals);
  table.add("safety_processes", kProcesses);
  table.add("safety_looks", kLooks);
  for (const char* sanitizer : {"address", "undefined", "thread", "memory"})
    table.add(std::string("safety_sanitized_") + sanitizer, kSanitized);
  table.add("safety_rust", kRust);
  table.add_script("python3", {"-S", source("scripted.py")}, "6 caught, 3 threads, 1 child\n");
  table.add_script("perl", {source("scripted.pl")}, "6 caught, 1 child\n");
  table.add_script("node", {source("scripted.js")}, "6 caught, 1 worker\n");
  if (::access(target("Safety.class").c_str(), R_OK) == 0)
    table.add_script("java", {"-Xint", "-cp", target(""), "Safety"}, "6 caught, 1 overflow, 3 threads\n");
  if (::access(target("safety_go").c_str(), X_OK) == 0)
    table.programs.push_back({"safety_go", {target("safety_go")}, "6 recovered, 100 grown, 3 faults\n", 0, {}, false});
  return table.programs;
}

}  // namespace dwell::testing
