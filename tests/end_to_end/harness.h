// SPDX-License-Identifier: Apache-2.0
// What the end-to-end tests share: programs that are started and surely ended, dwell run on them, and the
// rule that a missing kernel feature fails where it is required and skips elsewhere.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace dwell::testing {

// Why real BPF can't be used here, "" if it can. Where it is required, the tests themselves find out: asking first would take
// longer than many of them.
std::string why_no_bpf();
bool bpf_is_required();  // DWELL_REQUIRE_BPF=1

// First line of each test that needs the kernel.
#define DWELL_NEEDS_BPF()                                                                                   \
  do {                                                                                                      \
    if (std::string why = ::dwell::testing::why_no_bpf(); !why.empty()) {                                   \
      if (::dwell::testing::bpf_is_required()) FAIL() << "real BPF is required here: " << why;              \
      GTEST_SKIP() << why;                                                                                  \
    }                                                                                                       \
  } while (0)

// A folder that goes away with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A child process with pipes; ended with SIGKILL, by its PID, if it still runs at the end of the test.
class Program {
 public:
  explicit Program(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});
  Program(const Program&) = delete;
  ~Program();

  pid_t pid() const { return pid_; }
  void write_line(const std::string& line);
  // Reads the output until a line contains `text`; false if that does not come in time or the output ends.
  bool wait_for_output(const std::string& text, std::chrono::seconds at_most = std::chrono::seconds(30));
  bool wait_for_error(const std::string& text, std::chrono::seconds at_most = std::chrono::seconds(30));
  void signal(int number);
  bool running();
  std::string describe();  // whether it runs, or how it has ended
  // Waits for the end; the exit code, or 128 + the signal.
  int wait(std::chrono::seconds at_most = std::chrono::seconds(60));
  const std::string& output() const { return output_; }  // all that has been read so far
  const std::string& errors() const { return errors_; }

 private:
  bool wait_for(int fd, std::string& all, std::size_t& seen, const std::string& text, std::chrono::seconds at_most);
  void read_rest();
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string output_, errors_;
  std::size_t output_seen_ = 0, errors_seen_ = 0;
  std::optional<int> exit_;
};

struct Finished {
  int exit;
  std::string output, errors;
};
Finished run(const std::vector<std::string>& command, std::chrono::seconds at_most = std::chrono::seconds(120));

std::string dwell_binary();
std::string target_binary(const std::string& name);

// Polls until it holds; false after the deadline.
bool eventually(const std::function<bool()>& holds, std::chrono::seconds at_most = std::chrono::seconds(30));

// `dwell record` on a process, from attached until stop().
class Recording {
 public:
  Recording(pid_t pid, const std::string& path, const std::vector<std::string>& options = {});
  // Waits until the probes are in place.
  bool attached();
  // Ctrl-C, and waits; the exit code.
  int stop();
  Program& program() { return program_; }

 private:
  Program program_;
};

// `dwell report --json`.
nlohmann::json report(const std::string& path, const std::vector<std::string>& options = {});

// A target of ours that waits for a line before it does something: "ready", <line>, "done", <line>, end.
// Records what it does in between.
struct Scenario {
  nlohmann::json report;
  std::string output;  // the target's
};
Scenario record_scenario(const std::vector<std::string>& command, const std::vector<std::string>& options = {},
                         const std::vector<std::string>& environment = {});

// The sites whose stack has a function of this name, of this kind.
std::vector<nlohmann::json> sites_in(const nlohmann::json& report, const std::string& function,
                                     const std::string& kind = "heap");
// The sum of a figure over those sites.
double sum(const std::vector<nlohmann::json>& sites, const std::string& figure);
// Fails the test if anything was lost.
void expect_nothing_lost(const nlohmann::json& report);

}  // namespace dwell::testing
