// SPDX-License-Identifier: Apache-2.0
#include "tests/safety/ways.h"

#include <signal.h>

#include <thread>

#include "tests/end_to_end/harness.h"

namespace dwell::testing {
namespace {

constexpr const char* kLong = "DWELL_CASE_MS=300";  // long enough to be looked at

std::vector<std::string> recording(const std::string& method, const std::vector<std::string>& more = {}) {
  std::vector<std::string> command{"record", "-q", "--exact", "--attach-method", method};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

Outcome launch(const SafetyProgram& program, const Way& way, const std::string& file) {
  std::vector<std::string> command;
  if (!way.command.empty()) {
    command = {dwell_binary()};
    command.insert(command.end(), way.command.begin(), way.command.end());
    command.insert(command.end(), {"-o", file, "--"});
  }
  command.insert(command.end(), program.command.begin(), program.command.end());
  Program running(command, program.environment);
  int exit = running.wait();
  return {running.output(), exit};
}

std::vector<std::string> attaching(const Way& way, pid_t pid, const std::string& file) {
  std::vector<std::string> command{dwell_binary()};
  command.insert(command.end(), way.command.begin(), way.command.end());
  command.insert(command.end(), {"-p", std::to_string(pid)});
  if (way.command[0] == "record") command.insert(command.end(), {"-o", file});
  return command;
}

Outcome attach(const SafetyProgram& program, const Way& way, const std::string& file, std::chrono::milliseconds wait) {
  std::vector<std::string> environment = program.environment;
  environment.insert(environment.end(), {"DWELL_CASE_GATE=1", kLong});
  Program target(program.command, environment);
  if (!target.wait_for_error("ready")) ADD_FAILURE() << program.name << " is not ready: " << target.errors();
  Program dwell(attaching(way, target.pid(), file));
  if (way.killed)
    std::this_thread::sleep_for(wait / 2);
  else if (way.command[0] == "record" && !dwell.wait_for_error("recording "))
    ADD_FAILURE() << way.name << " did not attach to " << program.name << ": " << dwell.errors();
  target.write_line("");
  if (way.killed) {
    std::this_thread::sleep_for(wait / 2);
    dwell.signal(SIGKILL);
  }
  int exit = target.wait();
  dwell.wait();
  return {target.output(), exit};
}

}  // namespace

std::vector<Way> ways() {
  const std::vector<std::string> kAll{"--blocked", "--clocks"};
  auto attached = [](std::vector<std::string> command) {
    command.erase(command.begin() + 1);  // -q: whether it is attached must be seen
    return command;
  };
  return {{"alone", {}, true},
          {"RecordBySession", recording("session"), true},
          {"RecordByMulti", recording("multi"), true},
          {"RecordByPerf", recording("perf"), true},
          {"RecordAll", recording("session", kAll), true},
          {"RecordWithoutReturnProbes", recording("session", {"--no-return-probes"}), true},
          {"AttachedBySession", attached(recording("session")), false},
          {"AttachedByMulti", attached(recording("multi")), false},
          {"AttachedByPerf", attached(recording("perf")), false},
          {"AttachedWithinBudget", {"record", "--max-overhead", "0.2"}, false},
          {"AttachedAll", attached(recording("session", kAll)), false},
          {"Threads", {"threads"}, false},
          {"Clocks", {"clocks", "-d", "1"}, false},
          {"RecordKilled", attached(recording("session", kAll)), false, true}};
}

Outcome run_program(const SafetyProgram& program, const Way& way, std::chrono::milliseconds wait) {
  TemporaryFolder folder;
  return way.launches ? launch(program, way, folder.file("safety.dwell"))
                      : attach(program, way, folder.file("safety.dwell"), wait);
}

}  // namespace dwell::testing
