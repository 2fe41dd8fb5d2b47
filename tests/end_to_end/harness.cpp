// SPDX-License-Identifier: Apache-2.0
#include "tests/end_to_end/harness.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace dwell::testing {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end, write_end;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC)) std::abort();
    read_end = ends[0];
    write_end = ends[1];
  }
};

}  // namespace

bool bpf_is_required() {
  const char* required = std::getenv("DWELL_REQUIRE_BPF");
  return required && *required == '1';
}

std::string why_no_bpf() {
  if (::geteuid() != 0) return "not root";
  if (bpf_is_required()) return "";
  Finished doctor = run({dwell_binary(), "doctor"});
  return doctor.exit == 0 ? "" : doctor.output + doctor.errors;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "dwell-test-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) std::abort();
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Program::Program(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  Pipe in, out, err;
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that crashes leaves nothing behind
    ::dup2(in.read_end, 0);
    ::dup2(out.write_end, 1);
    ::dup2(err.write_end, 2);
    for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(in.read_end);
  ::close(out.write_end);
  ::close(err.write_end);
  in_ = in.write_end;
  out_ = out.read_end;
  err_ = err.read_end;
}

Program::~Program() {
  if (!exit_ && pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (int fd : {in_, out_, err_})
    if (fd >= 0) ::close(fd);
}

void Program::write_line(const std::string& line) {
  std::string text = line + "\n";
  ::signal(SIGPIPE, SIG_IGN);  // that the reader has died is told below
  if (::write(in_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ADD_FAILURE() << "pipe is closed";
}

bool Program::wait_for(int fd, std::string& all, std::size_t& seen, const std::string& text,
                       std::chrono::seconds at_most) {
  Clock::time_point deadline = Clock::now() + at_most;
  while (true) {
    std::size_t found = all.find(text, seen);
    if (found != std::string::npos) {
      seen = found + text.size();
      return true;
    }
    int left = static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count());
    pollfd readable{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&readable, 1, left) <= 0) return false;
    char buffer[4096];
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return false;
    all.append(buffer, n);
  }
}

bool Program::wait_for_output(const std::string& text, std::chrono::seconds at_most) {
  return wait_for(out_, output_, output_seen_, text, at_most);
}

bool Program::wait_for_error(const std::string& text, std::chrono::seconds at_most) {
  return wait_for(err_, errors_, errors_seen_, text, at_most);
}

void Program::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

bool Program::running() {
  if (exit_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

std::string Program::describe() {
  return running() ? "PID " + std::to_string(pid_) + " is running" : "it has ended with " + std::to_string(*exit_);
}

// Both pipes are read while waiting: a full pipe would keep the program from ending.
int Program::wait(std::chrono::seconds at_most) {
  Clock::time_point deadline = Clock::now() + at_most;
  bool open[2] = {true, true};
  while (Clock::now() < deadline) {
    pollfd fds[2] = {{open[0] ? out_ : -1, POLLIN, 0}, {open[1] ? err_ : -1, POLLIN, 0}};
    ::poll(fds, 2, 20);
    for (int i = 0; i < 2; ++i) {
      if (!(fds[i].revents & (POLLIN | POLLHUP))) continue;
      char buffer[65536];
      ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n > 0)
        (i == 0 ? output_ : errors_).append(buffer, n);
      else
        open[i] = false;
    }
    // A grandchild may hold the pipes: what counts is that the program itself has ended.
    if (!running() && !(fds[0].revents & POLLIN) && !(fds[1].revents & POLLIN)) return *exit_;
  }
  ADD_FAILURE() << "PID " << pid_ << " did not end within " << at_most.count() << " s";
  ::kill(pid_, SIGKILL);
  while (running()) std::this_thread::yield();
  return *exit_;
}

Finished run(const std::vector<std::string>& command, std::chrono::seconds at_most) {
  Program program(command);
  int exit = program.wait(at_most);
  return {exit, program.output(), program.errors()};
}

std::string dwell_binary() { return DWELL_BINARY; }
std::string target_binary(const std::string& name) { return std::string(DWELL_TARGETS) + "/" + name; }

bool eventually(const std::function<bool()>& holds, std::chrono::seconds at_most) {
  Clock::time_point deadline = Clock::now() + at_most;
  while (!holds()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

namespace {

std::vector<std::string> record_command(pid_t pid, const std::string& path, const std::vector<std::string>& options) {
  // Programs that do nothing but allocate cost more than dwell allows itself by default.
  std::vector<std::string> command{dwell_binary(), "record", "-p", std::to_string(pid), "-o", path, "--detach-above", "0"};
  command.insert(command.end(), options.begin(), options.end());
  bool other = std::ranges::any_of(options, [](const std::string& option) { return option == "--max-overhead" || option == "--sample-bytes"; });
  if (!other) command.push_back("--exact");
  return command;
}

}  // namespace

Recording::Recording(pid_t pid, const std::string& path, const std::vector<std::string>& options)
    : program_(record_command(pid, path, options)) {}

bool Recording::attached() { return program_.wait_for_error("recording "); }

int Recording::stop() {
  program_.signal(SIGINT);
  return program_.wait();
}

nlohmann::json report(const std::string& path, const std::vector<std::string>& options) {
  std::vector<std::string> command{dwell_binary(), "report", "--json", path};
  command.insert(command.end(), options.begin(), options.end());
  Finished finished = run(command);
  EXPECT_EQ(finished.exit, 0) << finished.errors;
  nlohmann::json parsed = nlohmann::json::parse(finished.output, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << finished.output.substr(0, 500);
  return parsed;
}

Scenario record_scenario(const std::vector<std::string>& command, const std::vector<std::string>& options,
                         const std::vector<std::string>& environment) {
  TemporaryFolder folder;
  Program target(command, environment);
  if (!target.wait_for_output("ready")) ADD_FAILURE() << "target is not ready: " << target.errors();
  Recording recording(target.pid(), folder.file("scenario.dwell"), options);
  if (!recording.attached()) {
    ADD_FAILURE() << "dwell did not attach: " << recording.program().errors();
    return {};
  }
  target.write_line("go");
  if (!target.wait_for_output("done")) ADD_FAILURE() << "target did not do it: " << target.errors() << target.describe();
  EXPECT_EQ(recording.stop(), 0) << recording.program().errors();
  EXPECT_TRUE(target.running()) << "the target must not notice";
  target.write_line("end");
  EXPECT_EQ(target.wait(), 0);
  return {report(folder.file("scenario.dwell")), target.output()};
}

std::vector<nlohmann::json> sites_in(const nlohmann::json& report, const std::string& function,
                                     const std::string& kind) {
  std::vector<nlohmann::json> found;
  for (const nlohmann::json& site : report["sites"]) {
    if (site["kind"] != kind) continue;
    for (const nlohmann::json& frame : site["stack"]) {
      std::string name = frame["function"];
      if (name == function || name.rfind(function + "(", 0) == 0) {
        found.push_back(site);
        break;
      }
    }
  }
  return found;
}

double sum(const std::vector<nlohmann::json>& sites, const std::string& figure) {
  double total = 0;
  for (const nlohmann::json& site : sites) total += site.at("figures").at(figure).get<double>();
  return total;
}

void expect_nothing_lost(const nlohmann::json& report) { EXPECT_TRUE(report["losses"].empty()) << report["losses"]; }

}  // namespace dwell::testing
