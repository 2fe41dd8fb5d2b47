// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/bpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <utility>
#include <mutex>
#include <string_view>

namespace dwell {
namespace {

std::mutex mutex;
std::string last_complaint;
bool verbose_log = false;

int keep(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[512];
  int length = std::vsnprintf(line, sizeof line, format, arguments);
  std::lock_guard lock(mutex);
  if (verbose_log) std::fputs(line, stderr);
  // The verifier's log comes as one message of many lines; the first line of any message says the most.
  std::string_view text(line);
  text = text.substr(0, text.find('\n'));
  constexpr std::string_view kPrefix = "libbpf: ";
  if (text.substr(0, kPrefix.size()) == kPrefix) text.remove_prefix(kPrefix.size());
  if (level == LIBBPF_WARN && !text.empty()) last_complaint = text;
  return length;
}

}  // namespace

void listen_to_libbpf(bool verbose) {
  {
    std::lock_guard lock(mutex);
    verbose_log = verbose_log || verbose;
  }
  libbpf_set_print(keep);
}

std::string last_bpf_complaint() {
  std::lock_guard lock(mutex);
  return std::exchange(last_complaint, {});
}

}  // namespace dwell
