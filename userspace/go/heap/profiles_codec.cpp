// SPDX-License-Identifier: Apache-2.0
// Codec of the profiles that Go's runtime keeps: what it counts, and its counters as of one look.
#include "userspace/recording/codec.h"
#include "userspace/go/record/fields.h"
#include "userspace/go/part.h"
#include "userspace/go/codec.h"

namespace dwell {

namespace {

std::string get_kind(Cursor& in, GoProfileKind& kind) {
  std::uint64_t value = in.uleb();
  if (value < 1 || value > 3) return fmt::format("profile {} is none that Go has", value);
  kind = static_cast<GoProfileKind>(value);
  return "";
}

// Sums and differences of counters stay numbers.
constexpr std::int64_t kMostCounted = std::int64_t{1} << 60;
bool get_counters(Cursor& in, std::span<std::int64_t> counters) {
  for (std::int64_t& counter : counters) {
    counter = static_cast<std::int64_t>(get_difference(in));
    if (counter > kMostCounted || counter < -kMostCounted) return false;
  }
  return true;
}
constexpr const char* kTooMuch = "it counts more than there can be";

std::string get_process(Cursor& in, const Recording& recording, ProcessSlot& process) {
  std::uint64_t slot = in.uleb();
  if (slot >= recording.processes.size())
    return fmt::format("process {} of {}", slot, recording.processes.size());
  process = static_cast<ProcessSlot>(slot);
  return "";
}

}  // namespace

std::string encode_go_buckets(std::size_t first, std::span<const GoBucket> buckets) {
  std::string out;
  put_uleb(out, first);
  put_uleb(out, buckets.size());
  for (const GoBucket& bucket : buckets) {
    put_uleb(out, bucket.process);
    put_uleb(out, static_cast<std::uint64_t>(bucket.kind));
    put_uleb(out, bucket.object_bytes);
    put_go_stack(out, bucket.stack);
  }
  return out;
}

std::string decode_go_buckets(Cursor& in, Recording& out) {
  std::vector<GoBucket>& buckets = go_of(out).buckets;
  if (std::string wrong = begins_elsewhere(in.uleb(), buckets.size()); !wrong.empty()) return wrong;
  for (std::size_t left = get_count<GoBucket>(in); left > 0; --left) {
    GoBucket bucket;
    std::string wrong = get_process(in, out, bucket.process);
    if (wrong.empty()) wrong = get_kind(in, bucket.kind);
    bucket.object_bytes = in.uleb();
    if (wrong.empty()) wrong = get_go_stack(in, out, bucket.stack);
    if (!wrong.empty()) return in.ok() ? wrong : kTooShort;
    buckets.push_back(std::move(bucket));
  }
  return in.ok() ? "" : kTooShort;
}

std::string encode_go_profile(const GoProfileLook& look) {
  std::string out;
  put_uleb(out, look.time_ns);
  put_uleb(out, look.process);
  put_uleb(out, static_cast<std::uint64_t>(look.kind));
  put_uleb(out, look.rate);
  put_uleb(out, look.ticks_per_second);
  put_uleb(out, look.rows.size());
  for (const GoBucketRow& row : look.rows) {
    put_uleb(out, row.bucket);
    for (std::int64_t value : row.values) put_difference(out, static_cast<std::uint64_t>(value));
  }
  for (const GoBucketRow& row : look.rows)
    for (std::int64_t value : row.pending) put_difference(out, static_cast<std::uint64_t>(value));
  return out;
}

std::string decode_go_profile(Cursor& in, Recording& out) {
  GoProfileLook look;
  look.time_ns = in.uleb();
  std::string wrong = get_process(in, out, look.process);
  if (wrong.empty()) wrong = get_kind(in, look.kind);
  look.rate = in.uleb();
  look.ticks_per_second = in.uleb();
  if (!wrong.empty()) return in.ok() ? wrong : kTooShort;
  for (std::size_t left = get_count<GoBucketRow>(in); left > 0; --left) {
    GoBucketRow row;
    std::uint64_t bucket = in.uleb();
    if (!get_counters(in, row.values)) return kTooMuch;
    if (!in.ok()) return kTooShort;
    if (bucket >= go_of(out).buckets.size() || go_of(out).buckets[bucket].kind != look.kind ||
        go_of(out).buckets[bucket].process != look.process)
      return fmt::format("bucket {} of {} is none of this profile", bucket, go_of(out).buckets.size());
    row.bucket = static_cast<std::uint32_t>(bucket);
    look.rows.push_back(row);
  }
  // The first files with such chunks end before that.
  if (in.ok() && !in.at_end())
    for (GoBucketRow& row : look.rows)
      if (!get_counters(in, row.pending)) return kTooMuch;
  if (!in.ok()) return kTooShort;
  go_of(out).profiles.push_back(std::move(look));
  return "";
}

namespace {
struct BucketsWritten {  // into this recording so far
  std::size_t count = 0;
};
}  // namespace

Result<void> write_go_profile(RecordingWriter& writer, const GoProfileLook& look, std::span<const GoBucket> buckets) {
  std::size_t& written = writer.state().get<BucketsWritten>().count;
  if (written < buckets.size()) {
    Result<void> appended = writer.append(kChunkGoBuckets, encode_go_buckets(written, buckets.subspan(written)));
    if (!appended) return appended;
    written = buckets.size();
  }
  return writer.append(kChunkGoProfile, encode_go_profile(look));
}

}  // namespace dwell
