// SPDX-License-Identifier: Apache-2.0
#include "userspace/commands/difference_page.h"

#include <fmt/core.h>

#include "ui/escape.h"
#include "ui/html_page.h"
#include "userspace/commands/export_page.h"
#include "userspace/commands/output.h"
#include "userspace/go/record/report_text.h"
#include "userspace/memory/page_difference.h"
#include "userspace/memory/page_sources.h"
#include "userspace/memory/subject.h"
#include "userspace/memory/text.h"
#include "userspace/views/frames.h"

namespace dwell {
namespace {

// A page has every kind and call site: what would choose some has no effect, and so it is refused.
Result<void> check_difference_options(const DiffCommand& command) {
  if (command.view.name.empty() && command.filter == ViewFilter()) return {};
  return Error{"diff: an HTML page has every call site of both recordings",
               "leave out --view and filters, and choose in the page", Exit::kUsage};
}

}  // namespace

Result<void> write_difference_page(const DiffCommand& command, const Recording& before,
                                   const Recording& after) {
  if (Result<void> allowed = check_difference_options(command); !allowed) return allowed.error();
  Result<MemoryFilter> filter = memory_filter(command.filter, before);
  if (!filter) return filter.error();
  Result<MemoryDiff> diff = memory_diff(before, after, *filter, DiffRows::kAll);
  if (!diff) return diff.error();
  HtmlPage page;
  page.title = fmt::format("{} and {} - dwell", diff->before_process, diff->after_process);
  page.data = {{"format", "dwell difference page"},
               {"version", 1},
               {"files", {printable(base_name(command.before)), printable(base_name(command.after))}},
               {"names", {printable(diff->before_process), printable(diff->after_process)}},
               {"subjects", Json::object()}};
  add_difference(*diff, page, command.sources, remark_of_sources(after));
  MemoryTextOptions how{.style = {}, .sites = kPageTextRows, .stacks = kPageTextStacks};
  if (std::optional<GoDiff> of_go = go_diff(before, after)) {
    page.data["subjects"]["go"] = {{"difference", go_diff_json(*of_go)}};
    how.first = go_diff_text(*of_go, {.style = {}, .sites = kPageTextRows});
  }
  page.text = memory_diff_text(*diff, how);
  return write_output(command.output, html_page(page));
}

}  // namespace dwell
