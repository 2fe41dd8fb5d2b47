// SPDX-License-Identifier: Apache-2.0
// How a call site reads in one line, and its stack in several.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "ui/text_style.h"
#include "userspace/views/report_stack.h"

namespace dwell {

// The standard libraries' own containers, strings and smart pointers.
bool is_library_internal(const ReportFrame& frame);

// Whether a frame only leads from Go to C or back: asmcgocall, cgocallback, what cgo generates.
bool is_between_go_and_c(const std::vector<ReportFrame>& stack, std::size_t at);

// The frame that a reader means by "who asked for it": the first one above the allocator and the standard
// libraries' own containers; if there is none, the one above the allocator.
std::size_t asking_frame(const std::vector<ReportFrame>& stack);

// "Cache::insert ← Server::handle ← main", from the asking frame on, as far as `columns` reach (0: all of
// four). Behind a change from Go to C, which is left out itself, the caller has its line too: "take (c.go:9) ← main.load
// (main.go:31)".
std::string call_site_line(const std::vector<ReportFrame>& stack, std::size_t columns);

// The same for the rows of one table. Where rows would read the same, because one line of code asks for
// memory in several ways, each begins with what that line called: "map::operator[] ← Cache::insert
// (cache.h:41)".
class Wrappers;

class CallSiteNames {
 public:
  // `wrappers`: that are passed over; they outlive the names.
  explicit CallSiteNames(const Wrappers* wrappers = nullptr) : wrappers_(wrappers) {}
  void add(const std::vector<ReportFrame>& stack);
  std::string line(const std::vector<ReportFrame>& stack, std::size_t columns) const;

 private:
  std::size_t asks(const std::vector<ReportFrame>& stack) const;
  const Wrappers* wrappers_;
  std::map<std::string, int> times_;
};

// Which of a stack's frames stands out, and whether those before it are one line ("+7 library frames").
struct StackLook {
  std::size_t asks = 0;
  bool folded = false;
};

// One line a frame, leaf first, inlined ones marked, and why it ends if it was cut. At most `max_frames`.
std::string stack_lines(const std::vector<ReportFrame>& stack, const std::string& incomplete,
                        std::size_t max_frames, const TextStyle& style);
std::string stack_lines(const std::vector<ReportFrame>& stack, const std::string& incomplete,
                        std::size_t max_frames, const TextStyle& style, const StackLook& look);

}  // namespace dwell
