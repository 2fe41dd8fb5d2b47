// SPDX-License-Identifier: Apache-2.0
#include "userspace/collect/address_space.h"

#include <algorithm>

namespace dwell {

namespace {

constexpr std::size_t kMaxFormer = 1024;
constexpr std::size_t kMaxChanges = 4096, kMaxPublications = 256;

bool starts_before(const CodeRange& a, const CodeRange& b) { return a.start < b.start; }

// The first range that ends behind the address.
std::vector<CodeRange>::const_iterator ending_after(const std::vector<CodeRange>& ranges, std::uint64_t address) {
  return std::upper_bound(ranges.begin(), ranges.end(), address,
                          [](std::uint64_t a, const CodeRange& range) { return a < range.end; });
}

bool overlaps(const std::vector<CodeRange>& ranges, const CodeRange& range) {
  auto next = ending_after(ranges, range.start);
  return next != ranges.end() && next->start < range.end;
}

const CodeRange* find_in(const std::vector<CodeRange>& ranges, std::uint64_t address) {
  auto found = ending_after(ranges, address);
  return found != ranges.end() && found->start <= address ? &*found : nullptr;
}

}  // namespace

void AddressSpace::replace(std::vector<CodeRange> ranges, std::uint64_t read_ns) {
  read_ns_ = read_ns;
  if (!lost_.empty() && lost_.back().to_ns == kNow && read_ns > lost_.back().from_ns) {
    lost_.back().to_ns = read_ns;
    ++changes_seen_;
  }
  std::vector<CodeRange> before = std::move(ranges_);
  ranges_ = std::move(ranges);
  std::sort(ranges_.begin(), ranges_.end(), starts_before);

  // What was mapped last is what stacks are most likely to mean.
  std::vector<CodeRange> kept;
  for (const CodeRange& range : before)
    if (!overlaps(ranges_, range)) kept.push_back(range);
  std::size_t recent = kept.size();
  for (const CodeRange& range : former_)
    if (kept.size() < kMaxFormer && !overlaps(ranges_, range) && !overlaps(before, range)) kept.push_back(range);
  std::inplace_merge(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(recent), kept.end(), starts_before);
  former_ = std::move(kept);
}

void AddressSpace::published(std::uint64_t now_ns) {
  publications_.push_back({read_ns_, now_ns});
  if (publications_.size() > kMaxPublications) publications_.pop_front();
}

void AddressSpace::lost(std::uint64_t from_ns) {
  ++changes_seen_;
  if (!lost_.empty() && lost_.back().to_ns == kNow) return;
  lost_.push_back({from_ns, kNow});
  if (lost_.size() > kMaxPublications) lost_.pop_front();
}

bool AddressSpace::is_unknown(std::uint64_t address, std::uint64_t time_ns) const {
  bool in_lost = std::any_of(lost_.begin(), lost_.end(), [&](const Span& span) { return time_ns >= span.from_ns && time_ns < span.to_ns; });
  return in_lost && is_changing(address);
}

void AddressSpace::forget_former() {
  lost_.clear();
  former_.clear();
  changes_.clear();
  publications_.clear();
  ++changes_seen_;
}

// What lies where the range comes to lie, unless an earlier change tells it.
void AddressSpace::keep_before(const std::vector<CodeRange>& known, const CodeRange& range) {
  for (auto one = ending_after(known, range.start); one != known.end() && one->start < range.end; ++one) {
    auto told = [&](const Change& change) { return change.range.start < one->end && one->start < change.range.end; };
    if (std::none_of(changes_.begin(), changes_.end(), told)) changes_.push_front({0, *one});
  }
}

// Events of that time that are still to come must not be taken for those of the code that is there now.
void AddressSpace::forget_oldest() {
  changes_.erase(changes_.begin(), changes_.begin() + kMaxChanges / 2);
  std::uint64_t until_ns = changes_.front().time_ns;
  while (!lost_.empty() && lost_.front().to_ns <= until_ns) lost_.pop_front();
  lost_.push_front({0, until_ns});
}

void AddressSpace::map(const CodeRange& range, std::uint64_t time_ns) {
  auto is_this = [&](const CodeRange& known) {
    return known.start == range.start && known.end == range.end && known.module == range.module &&
           known.file_offset == range.file_offset;
  };
  // What was read may show a mapping before its notice comes, and does not tell what lay there until it was made: where
  // there were changes, the last of them does.
  const Change* before = last_change(range.start, time_ns);
  std::optional<CodeRange> known = before ? before->range : range_at(range.start, time_ns);
  if (known && is_this(*known)) return;
  keep_before(ranges_, range);
  keep_before(former_, range);
  auto later = std::upper_bound(changes_.begin(), changes_.end(), time_ns,
                                [](std::uint64_t time, const Change& change) { return time < change.time_ns; });
  changes_.insert(later, {time_ns, range});
  if (changes_.size() > kMaxChanges) forget_oldest();
  ++changes_seen_;
}

const CodeRange* AddressSpace::find(std::uint64_t address) const {
  const CodeRange* now = find_in(ranges_, address);
  return now ? now : find_in(former_, address);
}

const AddressSpace::Change* AddressSpace::last_change(std::uint64_t address, std::uint64_t time_ns) const {
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change)
    if (change->time_ns <= time_ns && change->covers(address)) return &*change;
  return nullptr;
}

bool AddressSpace::is_changing(std::uint64_t address) const {
  return std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) { return change.covers(address); });
}

AddressSpace::Span AddressSpace::same_around(std::uint64_t address, std::uint64_t time_ns) const {
  Span span;
  for (const Change& change : changes_) {
    if (!change.covers(address)) continue;
    if (change.time_ns <= time_ns) span.from_ns = change.time_ns;
    if (change.time_ns > time_ns) span.to_ns = std::min(span.to_ns, change.time_ns);
  }
  if (lost_.empty() || !is_changing(address)) return span;
  for (const Span& lost : lost_) {
    if (lost.to_ns <= time_ns) span.from_ns = std::max(span.from_ns, lost.to_ns);
    if (lost.from_ns > time_ns) span.to_ns = std::min(span.to_ns, lost.from_ns);
    if (time_ns >= lost.from_ns && time_ns < lost.to_ns) span = {lost.from_ns, lost.to_ns};
  }
  return span;
}

std::optional<CodeRange> AddressSpace::range_at(std::uint64_t address, std::uint64_t time_ns) const {
  const Change* change = changes_.empty() ? nullptr : last_change(address, time_ns);
  bool is_past = change && same_around(address, time_ns).to_ns != kNow;
  if (is_past || (change && change->time_ns > read_ns_)) return change->range;
  // What was there before all of that lies further back than the last change.
  const CodeRange* known = change ? find_in(ranges_, address) : find(address);
  if (known) return *known;
  return change ? std::optional(change->range) : std::nullopt;
}

bool AddressSpace::was_replaced_before(std::uint64_t address, std::uint64_t time_ns) const {
  const Change* change = changes_.empty() ? nullptr : last_change(address, time_ns);
  if (!change || change->time_ns == 0) return false;
  auto used = std::find_if(publications_.rbegin(), publications_.rend(),
                           [&](const Publication& one) { return one.published_ns <= time_ns; });
  if (used == publications_.rend() || change->time_ns <= used->read_ns) return false;
  // Where nothing lay before, the walk ended for want of a table.
  const Change* before = last_change(address, used->read_ns);
  return before && (before->range.module != change->range.module || before->range.start != change->range.start ||
                    before->range.file_offset != change->range.file_offset);
}

Location AddressSpace::locate(std::uint64_t address, bool return_address, std::uint64_t time_ns) const {
  // A call may be the last instruction of a mapping: its return address then lies just behind.
  std::uint64_t within = return_address && address ? address - 1 : address;
  std::optional<CodeRange> range = range_at(within, time_ns);
  if (!range) return {-1, address, return_address};
  return {static_cast<std::int32_t>(range->module), address - range->start + range->file_offset, return_address};
}

}  // namespace dwell
