// SPDX-License-Identifier: Apache-2.0
#include "ui/call_site.h"

#include <fmt/core.h>

#include <algorithm>

#include "ui/escape.h"
#include "ui/text_width.h"
#include "ui/wrappers.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

constexpr std::size_t kNoLimit = 4096;
constexpr std::string_view kArrow = " ← ";

// A path that fits keeps its end, which tells files apart.
std::string where_text(const ReportFrame& frame, std::size_t columns) {
  if (frame.file.empty()) return cut_middle(printable(base_name(frame.module)), columns);
  std::string line = frame.line ? fmt::format(":{}", frame.line) : "";
  std::string file = printable(frame.file);
  if (display_width(file) + line.size() > columns) file = printable(base_name(frame.file));
  return cut_middle(file, columns > line.size() ? columns - line.size() : 1) + line;
}

// Two calls in one function are two call sites: " (cache.cpp:33)".
std::string at_line(const ReportFrame& frame) {
  if (frame.file.empty() || !frame.line) return "";
  return fmt::format(" ({}:{})", printable(base_name(frame.file)), frame.line);
}

// In a chain of calls parameters tell little, and template arguments less.
std::string short_function(const ReportFrame& frame) {
  constexpr std::string_view kInlineNamespace = "__cxx11::";
  std::string name = bare_name(frame.function);
  for (std::size_t at; (at = name.find(kInlineNamespace)) != std::string::npos;)
    name.erase(at, kInlineNamespace.size());
  return name;
}

// What a reader takes for the call site itself: "Cache::insert (cache.h:41)".
std::string site_of(const std::vector<ReportFrame>& stack, std::size_t asks) {
  return stack.empty() ? "[unknown]" : short_function(stack[asks]) + at_line(stack[asks]);
}

std::string chain(const std::vector<ReportFrame>& stack, std::size_t asks, const std::string& before, std::size_t columns) {
  constexpr std::size_t kFewestColumnsForAName = 12, kNames = 4;
  std::size_t room = columns ? columns : kNoLimit, names = 1;
  std::string last;
  std::string line = cut_middle(before + site_of(stack, asks), room);
  for (std::size_t i = stack.empty() ? 0 : asks + 1; i < stack.size() && (columns || names < kNames); ++i) {
    if (is_between_go_and_c(stack, i)) continue;
    std::size_t used = display_width(line) + display_width(kArrow);
    std::string name = short_function(stack[i]);
    // Go's line tells which of its calls of this C function it is. Callbacks of callbacks are told once.
    if (is_between_go_and_c(stack, i - 1)) {
      name += at_line(stack[i]);
      if (name == last) continue;
      last = name;
    }
    ++names;
    if (used + std::min(display_width(name), kFewestColumnsForAName) > room) break;
    line += std::string(kArrow) + cut_middle(name, room - used);
  }
  return line;
}

}  // namespace

bool is_library_internal(const ReportFrame& frame) {
  for (std::string_view start : {"std::", "__gnu_cxx::", "void std::", "void* std::", "alloc::", "<alloc::",
                                 "core::", "hashbrown::", "__rust_", "__rdl_", "__rg_"}) {
    if (std::string_view(frame.function).starts_with(start)) return true;
  }
  return false;
}

bool is_between_go_and_c(const std::vector<ReportFrame>& stack, std::size_t at) {
  constexpr std::string_view kCall = "runtime.asmcgocall";
  std::string_view function = stack[at].function;
  for (std::string_view start : {"_cgo_", "_cgoexp_", "_Cfunc_", "x_cgo_", "crosscall", "runtime.asmcgocall", "runtime.cgocall", "runtime.systemstack"})
    if (function.starts_with(start)) return true;
  for (std::string_view part : {"._Cfunc_", "._C2func_", "._cgoexp"})
    if (function.find(part) != std::string_view::npos) return true;
  // What C calls to come to Go calls nothing but crosscall2.
  if (at > 0 && stack[at - 1].function == "crosscall2") return true;
  // cgo's own stub is the function that asmcgocall calls. In a stripped program it has no name.
  return !stack[at].named && at + 1 < stack.size() && stack[at + 1].function.starts_with(kCall);
}

// An allocator that needs memory itself asks for it as its own caller would: outermost counts.
std::size_t asking_frame(const std::vector<ReportFrame>& stack) {
  auto allocator = [](const ReportFrame& frame) { return is_allocator(frame.function); };
  auto last = std::find_if(stack.rbegin(), stack.rend(), allocator);
  auto above = stack.begin() + (stack.rend() - last);
  if (above == stack.end()) return 0;
  auto asks = std::find_if_not(above, stack.end(), is_library_internal);
  return static_cast<std::size_t>((asks == stack.end() ? above : asks) - stack.begin());
}

std::string call_site_line(const std::vector<ReportFrame>& stack, std::size_t columns) {
  return chain(stack, stack.empty() ? 0 : asking_frame(stack), "", columns);
}

std::size_t CallSiteNames::asks(const std::vector<ReportFrame>& stack) const {
  if (stack.empty()) return 0;
  return wrappers_ ? wrappers_->site_frame(stack) : asking_frame(stack);
}

void CallSiteNames::add(const std::vector<ReportFrame>& stack) { ++times_[site_of(stack, asks(stack))]; }

std::string CallSiteNames::line(const std::vector<ReportFrame>& stack, std::size_t columns) const {
  std::size_t at = asks(stack);
  std::string site = site_of(stack, at);
  auto times = times_.find(site);
  if (at == 0 || times == times_.end() || times->second < 2) return chain(stack, at, "", columns);
  bool tells_more = wrappers_ ? !is_allocator(stack[at - 1].function) && !is_known_wrapper(stack[at - 1].function) : is_library_internal(stack[at - 1]);
  if (!tells_more) return chain(stack, at, "", columns);
  std::string called = short_function(stack[at - 1]) + std::string(kArrow);
  if (called.starts_with("std::")) called.erase(0, 5);
  bool fits = columns == 0 || display_width(called) + display_width(site) <= columns;
  return chain(stack, at, fits ? called : "", columns);
}

std::string stack_lines(const std::vector<ReportFrame>& stack, const std::string& incomplete,
                        std::size_t max_frames, const TextStyle& style) {
  return stack_lines(stack, incomplete, max_frames, style, {stack.empty() ? 0 : asking_frame(stack), false});
}

std::string stack_lines(const std::vector<ReportFrame>& stack, const std::string& incomplete,
                        std::size_t max_frames, const TextStyle& style, const StackLook& look) {
  constexpr std::size_t kIndent = 6, kWhereColumns = 44;
  const std::string indent(kIndent, ' ');
  std::string result;
  if (stack.empty())
    return indent + style.paint(Paint::kWarning, "no stack is known for these blocks") + "\n";
  std::size_t asks = look.asks, first = look.folded && asks > 1 ? asks : 0;
  if (first) result += indent + style.paint(Paint::kDim, fmt::format("+{} library frames", first)) + "\n";
  for (std::size_t i = first; i < stack.size() && i - first < max_frames; ++i) {
    const ReportFrame& frame = stack[i];
    std::string tail =
        where_text(frame, style.columns ? std::min(kWhereColumns, style.columns / 2) : kNoLimit);
    if (frame.inlined) tail += tail.empty() ? "(inlined)" : " (inlined)";
    std::size_t room = kNoLimit;
    if (style.columns) {
      std::size_t used = kIndent + 2 + display_width(tail);
      room = used + 8 < style.columns ? style.columns - used : 8;
    }
    result +=
        indent + style.paint(i == asks ? Paint::kStrong : Paint::kPlain, shorten_name(frame.function, room));
    if (!tail.empty()) result += "  " + style.paint(Paint::kDim, tail);
    result += '\n';
  }
  if (stack.size() - first > max_frames) {
    result +=
        indent + style.paint(Paint::kDim, fmt::format("… {} more frames", stack.size() - first - max_frames)) + "\n";
  }
  if (!incomplete.empty()) {
    result += style.paragraph(Paint::kWarning, indent + "… cut off: " + printable(incomplete), kIndent + 2);
  }
  return result;
}

}  // namespace dwell
