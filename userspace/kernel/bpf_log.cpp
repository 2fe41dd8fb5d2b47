// SPDX-License-Identifier: Apache-2.0
#include "userspace/kernel/bpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <utility>

#include "userspace/base/text.h"

namespace dwell {
namespace {

std::mutex mutex;
BpfComplaint complaint;
bool verbose_log = false;

// The verifier's log comes as one message of up to 16 MiB.
std::string formatted(const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  std::string text(length > 0 ? static_cast<std::size_t>(length) + 1 : 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  return text;
}

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::string text = formatted(format, arguments);
  std::lock_guard lock(mutex);
  if (verbose_log) std::fwrite(text.data(), 1, text.size(), stderr);
  if (level == LIBBPF_WARN) add_to_complaint(complaint, text);
  return static_cast<int>(text.size());
}

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  std::size_t begin = text.find(before);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin + before.size());
  std::size_t end = text.find(after);
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

// What the verifier writes behind its reason, and where it repeats what led there.
bool is_about_the_run(std::string_view line) {
  for (std::string_view start : {"processed ", "verification time", "stack depth", "mark_precise", "last_idx", "regs=",
                                 "parent ", "-- END", "from "})
    if (line.starts_with(start)) return true;
  return line.empty();
}

}  // namespace

std::string_view verdict_of(std::string_view verifier_log) {
  std::string_view verdict;
  for (std::string_view line : split(verifier_log, '\n'))
    if (!is_about_the_run(line)) verdict = line;
  return verdict;
}

void add_to_complaint(BpfComplaint& said, std::string_view message) {
  constexpr std::string_view kPrefix = "libbpf: ", kLogBegin = "-- BEGIN PROG LOAD LOG --\n", kLogEnd = "-- END PROG LOAD LOG --";
  if (message.starts_with(kPrefix)) message.remove_prefix(kPrefix.size());
  if (std::string_view log = between(message, kLogBegin, kLogEnd); !log.empty() && said.verifier.empty()) {
    said.program = between(message, "prog '", "'");
    said.verifier = verdict_of(log);
  }
  // libbpf writes this instead of the instruction that looks into a type, and the verifier stops there.
  if (std::string_view relocation = between(message, "<invalid CO-RE relocation>\nfailed to resolve CO-RE relocation ", "\n");
      !relocation.empty() && said.field.empty())
    said.field = between(std::string(relocation) + " (", "] ", " (");
  if (said.first.empty()) said.first = message.substr(0, message.find('\n'));
}

void listen_to_libbpf(bool verbose) {
  {
    std::lock_guard lock(mutex);
    verbose_log = verbose_log || verbose;
    complaint = {};
  }
  libbpf_set_print(keep);
}

BpfComplaint last_bpf_complaint() {
  std::lock_guard lock(mutex);
  return std::exchange(complaint, {});
}

}  // namespace dwell
