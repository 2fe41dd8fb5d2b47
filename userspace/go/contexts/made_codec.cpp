// SPDX-License-Identifier: Apache-2.0
// Codec of contexts. Each site has its length in front, so that a later version can say more of it.
#include <fmt/core.h>

#include "userspace/recording/bytes.h"
#include "userspace/recording/codec.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {
namespace {

// The same lists of fields write and read: no field can be in one and not in the other.
template <typename Contexts, typename Visit>
void visit_head(Contexts& c, Visit visit) {
  visit(c.time_ns), visit(c.duration_ns), visit(c.probe_hits), visit(c.trap_ns), visit(c.bpf_ns);
  visit(c.lost), visit(c.unknown);
}
template <typename Site, typename Visit>
void visit_figures(Site& s, Visit visit) {
  visit(s.made), visit(s.cancelled), visit(s.collected), visit(s.alive), visit(s.oldest_ns);
  visit(s.lived_ns), visit(s.longest_ns);
}

std::string encode_site(const GoContextFacts& site) {
  std::string out;
  put_uleb(out, site.process);
  put_uleb(out, static_cast<std::uint64_t>(site.stack));
  put_uleb(out, site.kind);
  put_uleb(out, site.parents);
  visit_figures(site, [&](std::uint64_t value) { put_uleb(out, value); });
  return out;
}

std::string decode_site(Cursor in, const Recording& recording, const GoContexts& contexts,
                        GoContextFacts& site) {
  std::uint64_t process = in.uleb(), stack = in.uleb(), kind = in.uleb(), parents = in.uleb();
  visit_figures(site, [&](std::uint64_t& value) { value = in.uleb(); });
  if (!in.ok()) return kTooShort;
  if (process >= recording.processes.size())
    return fmt::format("process {} of {}", process, recording.processes.size());
  if (stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  std::uint64_t word = std::max(kind, parents);
  if (word >= contexts.words.size()) return fmt::format("word {} of {}", word, contexts.words.size());
  site.process = static_cast<ProcessSlot>(process);
  site.stack = static_cast<StackId>(stack);
  site.kind = static_cast<std::uint32_t>(kind);
  site.parents = static_cast<std::uint32_t>(parents);
  return "";
}

}  // namespace

std::string encode_go_contexts(const GoContexts& contexts) {
  std::string out;
  visit_head(contexts, [&](std::uint64_t value) { put_uleb(out, value); });
  put_texts(out, contexts.words);
  put_uleb(out, contexts.sites.size());
  for (const GoContextFacts& site : contexts.sites) put_text(out, encode_site(site));
  put_texts(out, contexts.notes);
  return out;
}

std::string decode_go_contexts(Cursor& in, Recording& out) {
  GoContexts contexts;
  visit_head(contexts, [&](std::uint64_t& value) { value = in.uleb(); });
  contexts.words = get_texts(in);
  for (std::size_t left = get_count<GoContextFacts>(in); left > 0; --left) {
    Cursor site(get_text(in));
    if (!in.ok()) return kTooShort;
    if (std::string wrong = decode_site(site, out, contexts, contexts.sites.emplace_back()); !wrong.empty())
      return wrong;
  }
  contexts.notes = get_texts(in);
  if (!in.ok()) return kTooShort;
  go_of(out).contexts = std::move(contexts);
  return "";
}

}  // namespace dwell
