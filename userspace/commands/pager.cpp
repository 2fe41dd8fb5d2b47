// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/pager.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

namespace dwell {
namespace {

constexpr const char* kUsual = "less -FRX";
constexpr const char* kStandardOutput = "standard output";
// Of what was shown, for the case that there is no such pager: it says so at once.
constexpr std::size_t kMostKept = std::size_t{16} << 20;
constexpr int kNotExecutable = 126, kNotFound = 127;  // as shells have it

struct Running {
  pid_t pid = -1;
  UniqueFd data;
  bool shows = false;  // it was told to become the pager
  std::string kept;
};
std::optional<Running> the_pager;

// Waits for the first byte to be there, and becomes the pager. Ends where none comes.
[[noreturn]] void become_pager(int data, int go, const std::string& command) {
  ::signal(SIGINT, SIG_IGN);  // for dwell, as long as there is nothing to show
  char byte;
  if (::read(go, &byte, 1) != 1) ::_exit(0);
  for (int signal : {SIGINT, SIGQUIT, SIGPIPE}) ::signal(signal, SIG_DFL);
  ::dup2(data, STDIN_FILENO);
  ::setenv("LESS", "FRX", /*overwrite=*/0);
  ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
  ::_exit(kNotFound);
}

UniqueFd first_byte;  // the pager's first byte

}  // namespace

Result<void> write_all(int fd, std::string_view content, const char* where) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) return {};
    if (n < 0) {
      Error error = system_error(std::string("write to ") + where, errno);
      error.exit = Exit::kOutput;
      return error;
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::string pager_command(const ReadEnvironment& environment) {
  const char* chosen = environment("DWELL_PAGER");
  if (!chosen) chosen = environment("PAGER");
  if (!chosen) return kUsual;
  std::string command = chosen;
  return command.empty() || command == "cat" ? "" : command;
}

void Pager::start() {
  if (the_pager || !::isatty(STDOUT_FILENO)) return;
  std::string command = pager_command([](const char* name) -> const char* { return ::getenv(name); });
  int data[2], go[2];
  if (command.empty() || ::pipe2(data, O_CLOEXEC) != 0) return;
  UniqueFd data_out(data[0]), data_in(data[1]);
  if (::pipe2(go, O_CLOEXEC) != 0) return;
  UniqueFd go_out(go[0]), go_in(go[1]);
  pid_t pid = ::fork();
  if (pid < 0) return;
  if (pid == 0) {
    data_in.reset();
    go_in.reset();
    become_pager(data_out.get(), go_out.get(), command);
  }
  the_pager.emplace();
  the_pager->pid = pid;
  the_pager->data = std::move(data_in);
  first_byte = std::move(go_in);
}

Result<void> Pager::write(std::string_view content) {
  if (!the_pager) return write_all(STDOUT_FILENO, content, kStandardOutput);
  if (!the_pager->shows && !content.empty()) {
    the_pager->shows = true;
    // Ctrl-C is the pager's from here on, and what it no longer reads is no reason to end.
    for (int signal : {SIGINT, SIGQUIT, SIGPIPE}) ::signal(signal, SIG_IGN);
    if (::write(first_byte.get(), "!", 1) != 1) the_pager->shows = false;
  }
  if (the_pager->kept.size() < kMostKept) the_pager->kept.append(content.substr(0, kMostKept - the_pager->kept.size()));
  return write_all(the_pager->data.get(), content, kStandardOutput);
}

void Pager::finish() {
  if (!the_pager) return;
  first_byte.reset();
  the_pager->data.reset();
  int status = 0;
  while (::waitpid(the_pager->pid, &status, 0) < 0 && errno == EINTR) {
  }
  bool failed = WIFEXITED(status) && (WEXITSTATUS(status) == kNotFound || WEXITSTATUS(status) == kNotExecutable);
  if (the_pager->shows && failed) (void)write_all(STDOUT_FILENO, the_pager->kept, kStandardOutput);
  the_pager.reset();
}

}  // namespace dwell
