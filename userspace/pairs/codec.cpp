// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/codec.h"

#include <fmt/core.h>

#include <algorithm>

#include "userspace/recording/bytes.h"

namespace dwell::pairs {
namespace {

void put_hold_site(std::string& out, const HoldSite& site) {
  put_uleb(out, site.process);
  put_uleb(out, site.pair);
  put_uleb(out, static_cast<std::uint64_t>(site.stack));
}

std::string get_pair(Cursor& in, const Recording& recording, ProcessSlot& process, std::uint16_t& pair) {
  std::uint64_t slot = in.uleb(), index = in.uleb();
  if (!in.ok()) return kTooShort;
  if (slot >= recording.processes.size()) return fmt::format("process {} of {}", slot, recording.processes.size());
  if (std::size_t known = pairs_of(recording).pairs.size(); index >= known) return fmt::format("pair {} of {}", index, known);
  process = static_cast<ProcessSlot>(slot);
  pair = static_cast<std::uint16_t>(index);
  return "";
}

std::string get_hold_site(Cursor& in, const Recording& recording, HoldSite& site) {
  if (std::string wrong = get_pair(in, recording, site.process, site.pair); !wrong.empty()) return wrong;
  std::uint64_t stack = in.uleb();
  if (in.ok() && stack >= recording.stacks.size()) return fmt::format("stack {} of {}", stack, recording.stacks.size());
  site.stack = static_cast<StackId>(stack);
  return in.ok() ? "" : kTooShort;
}

}  // namespace

std::string encode_pairs(const std::vector<PairInfo>& pairs) {
  std::string out;
  put_uleb(out, pairs.size());
  for (const PairInfo& pair : pairs) {
    put_text(out, pair.name);
    put_text(out, pair.given);
    put_uleb(out, pair.sized);
    put_texts(out, pair.takes);
    put_texts(out, pair.gives);
  }
  return out;
}

// The last one counts; what came before may name the pairs of the first.
std::string decode_pairs(Cursor& in, Recording& out) {
  std::vector<PairInfo> pairs;
  for (std::size_t left = get_count<PairInfo>(in); left > 0 && in.ok(); --left) {
    PairInfo pair;
    pair.name = get_text(in);
    pair.given = get_text(in);
    pair.sized = in.uleb() != 0;
    pair.takes = get_texts(in);
    pair.gives = get_texts(in);
    pairs.push_back(std::move(pair));
  }
  if (!in.ok()) return kTooShort;
  if (pairs.size() < pairs_of(out).pairs.size()) return "it tells of fewer pairs than before";
  pairs_of(out).pairs = std::move(pairs);
  return "";
}

std::string encode_hold_tick(const HoldTick& tick) {
  std::string out;
  put_uleb(out, tick.start_ns);
  put_uleb(out, tick.end_ns);
  put_uleb(out, tick.changes.size());
  for (const HoldChange& change : tick.changes) {
    put_hold_site(out, change.site);
    for (std::uint64_t value : {change.taken, change.given, change.taken_size, change.given_size, change.peak}) put_uleb(out, value);
    put_lifetimes(out, change.lifetimes);
  }
  put_uleb(out, tick.pairs.size());
  for (const PairChange& pair : tick.pairs)
    for (std::uint64_t value : {std::uint64_t{pair.process}, std::uint64_t{pair.pair}, pair.unknown, pair.peak, pair.peak_ns}) put_uleb(out, value);
  for (const HoldChange& change : tick.changes) put_uleb(out, change.lived_ns);
  return out;
}

std::string decode_hold_tick(Cursor& in, Recording& out) {
  HoldTick tick;
  tick.start_ns = in.uleb();
  tick.end_ns = in.uleb();
  for (std::size_t left = get_count<HoldChange>(in); left > 0; --left) {
    HoldChange change;
    if (std::string wrong = get_hold_site(in, out, change.site); !wrong.empty()) return wrong;
    for (std::uint64_t* value : {&change.taken, &change.given, &change.taken_size, &change.given_size, &change.peak}) *value = in.uleb();
    if (std::string wrong = get_lifetimes(in, change.lifetimes); !wrong.empty()) return wrong;
    tick.changes.push_back(std::move(change));
  }
  for (std::size_t left = get_count<PairChange>(in); left > 0; --left) {
    PairChange pair;
    if (std::string wrong = get_pair(in, out, pair.process, pair.pair); !wrong.empty()) return wrong;
    for (std::uint64_t* value : {&pair.unknown, &pair.peak, &pair.peak_ns}) *value = in.uleb();
    tick.pairs.push_back(pair);
  }
  if (in.ok() && !in.at_end())  // else of an older recording
    for (HoldChange& change : tick.changes) change.lived_ns = in.uleb();
  if (!in.ok()) return kTooShort;
  out.told_until_ns = std::max(out.told_until_ns, tick.end_ns);
  pairs_of(out).ticks.push_back(std::move(tick));
  return "";
}

std::string encode_held(const Held& held) {
  std::string out;
  put_uleb(out, held.time_ns);
  put_uleb(out, held.holds.size());
  for (const Hold& hold : held.holds) {
    put_hold_site(out, hold.site);
    for (std::uint64_t value : {hold.value, hold.taken_ns, hold.size, std::uint64_t{hold.tid}}) put_uleb(out, value);
  }
  return out;
}

std::string decode_held(Cursor& in, Recording& out) {
  Held held;
  held.time_ns = in.uleb();
  for (std::size_t left = get_count<Hold>(in); left > 0; --left) {
    Hold hold;
    if (std::string wrong = get_hold_site(in, out, hold.site); !wrong.empty()) return wrong;
    for (std::uint64_t* value : {&hold.value, &hold.taken_ns, &hold.size}) *value = in.uleb();
    hold.tid = static_cast<Tid>(in.uleb());
    held.holds.push_back(hold);
  }
  if (!in.ok()) return kTooShort;
  pairs_of(out).held = std::move(held);
  return "";
}

}  // namespace dwell::pairs
