// SPDX-License-Identifier: Apache-2.0
#include "userspace/go/contexts/text.h"

#include <fmt/core.h>

#include "ui/escape.h"
#include "ui/words.h"
#include "userspace/go/goroutines/text.h"
#include "ui/text_table.h"
#include "ui/text_width.h"
#include "ui/values.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::string ends(const GoContextGroup& group, std::uint64_t now_ns) {
  if (!group.latest_ns) return "-";
  return *group.latest_ns > now_ns ? "in " + human_duration(*group.latest_ns - now_ns) : "due";
}

std::string state(const GoContextGroup& group) {
  std::string text;
  if (group.lost.value_or(0))
    text = group.has_parent  ? "lost: its parent keeps it until that ends"
           : group.latest_ns ? "lost: it stays until its deadline"
                             : "lost: nobody but who waits for its end has it";
  if (group.waited_for) text += (text.empty() ? "" : "; ") + go_call_site(group.calls) + " waits for its end";
  if (group.children) text += fmt::format("{}{} children", text.empty() ? "" : "; ", count_text(group.children));
  return text.empty() ? "held" : text;
}

}  // namespace

const char* context_kind_words(GoContextKind kind) {
  switch (kind) {
    case GoContextKind::kCancel:
      return "cancel";
    case GoContextKind::kDeadline:
      return "deadline";
    case GoContextKind::kAfter:
      return "after";
    case GoContextKind::kOther:
      return "other";
  }
  return "";
}

std::string contexts_text(const ContextReport& report, const ContextsTextOptions& options) {
  const TextStyle& style = options.style;
  std::string out =
      "\n" + style.paragraph(Paint::kStrong, fmt::format("Contexts: {} not cancelled", count_text(report.alive)));
  if (report.lost)
    out += style.paragraph(Paint::kWarning,
                           fmt::format("{} lost: nothing has the function that would cancel {} any more.",
                                       count_text(report.lost) + (report.lost == 1 ? " is" : " are"),
                                       report.lost == 1 ? "it" : "them"));
  TextTable table({{"count"}, {"kind"}, {"ends"}, {"parents", 1}, {"state"}});
  std::size_t width = table.last_column_width(style), shown = 0;
  std::uint64_t more = 0;
  for (const GoContextGroup& group : report.groups) {
    if (shown >= options.groups) {
      more += group.count;
      continue;
    }
    ++shown;
    std::string words = printable(state(group));
    table.add(
        {{count_text(group.count)},
         {context_kind_words(group.kind)},
         {ends(group, options.now_monotonic_ns)},
         {printable(group.parents)},
         {width ? cut_end(words, width) : words, group.lost.value_or(0) ? Paint::kWarning : Paint::kPlain}});
  }
  if (shown) out += table.write(style);
  if (more) out += style.paragraph(Paint::kDim, fmt::format("{} more are not shown.", count_text(more)));
  return out;
}

}  // namespace dwell
