// SPDX-License-Identifier: Apache-2.0
#include "userspace/memory/heap/tcmalloc_heap.h"

#include <algorithm>

#include "userspace/memory/heap/block_batch.h"
#include "userspace/memory/heap/tcmalloc_caches.h"

namespace dwell::memory::heap {
namespace {

constexpr int kSpanTries = 8;

class TcmallocHeap final : public Heap {
 public:
  TcmallocHeap(const Target& target, TcmallocSpans spans) : target_(target), spans_(std::move(spans)) {
    arenas_.resize(1);
    arenas_[0].main = true;
    for (const TcmallocSpans::At& at : spans_.all) {
      std::uint64_t start = at.span.start(), end = start + at.span.bytes();
      arenas_[0].system_bytes += at.span.bytes();
      append_range(ranges_, {start, end});
    }
  }

  std::string name() const override { return "tcmalloc (gperftools)"; }
  const std::vector<Arena>& arenas() const override { return arenas_; }
  const std::vector<Range>& ranges() const override { return ranges_; }
  const std::vector<Checksum>& checksums() const override { return checksums_; }
  bool keeps_records_in_break() const override { return true; }
  std::uint64_t alignment() const override { return 8; }

  WalkQuality walk(const Sink& sink) override {
    quality_ = {};
    references_said_ = references_found_ = 0;
    caches_ = find_tcmalloc_caches(target_, spans_);
    {
      BlockBatch out(sink);
      for (const TcmallocSpans::At& at : spans_.all) walk(at, out);
    }
    checksums_ = {{"objects in the caches of threads", caches_.lists_said, caches_.lists_found},
                  {"free objects in spans", references_said_, references_found_}};
    return quality_;
  }

 private:
  void walk(const TcmallocSpans::At& old, BlockBatch& out) {
    std::uint64_t start = old.span.start(), end = start + old.span.bytes();
    TcmallocSpan span = target_.memory.load<TcmallocSpan>(old.record).value_or(old.span);
    if (span.first != old.span.first || span.pages != old.span.pages) span = old.span;  // in flux
    if (!span.in_use()) return out.add(start, end, BlockState::kFree);
    std::uint64_t size = spans_.object_size(span);
    if (size == 0) return out.add(start, end, BlockState::kLive);
    std::uint64_t objects = span.bytes() / size;
    std::vector<bool> free = free_objects(old.record, span, size, objects);
    for (std::uint64_t i = 0; i < objects; ++i)
      out.add(start + i * size, start + (i + 1) * size, free[i] ? BlockState::kFree : state_of(start + i * size));
    out.add(start + objects * size, end, BlockState::kMetadata);
  }

  BlockState state_of(std::uint64_t object) const {
    if (caches_.of_threads.contains(object)) return BlockState::kThreadCache;
    return caches_.central.contains(object) ? BlockState::kFree : BlockState::kLive;
  }

  // The span's own list, followed in a copy; none of it counts unless it is as long as the count of references says, and the
  // record did not change meanwhile.
  std::vector<bool> free_objects(std::uint64_t record, TcmallocSpan span, std::uint64_t size, std::uint64_t objects) {
    std::uint64_t listed = objects - std::min<std::uint64_t>(objects, span.references());
    references_said_ += listed;
    for (int tries = 0; tries < kSpanTries; ++tries) {
      if (!span.objects && listed == 0) return std::vector<bool>(objects);
      bytes_.resize(span.bytes());
      bool read = target_.memory.read_some(span.start(), bytes_.data(), bytes_.size()) == bytes_.size();
      std::vector<bool> free(objects);
      std::uint64_t count = 0, at = read ? span.objects : 1;
      while (at && at >= span.start() && (at - span.start()) % size == 0 && (at - span.start()) / size < objects &&
             !free[(at - span.start()) / size]) {
        free[(at - span.start()) / size] = true;
        ++count;
        at = field_of<std::uint64_t>({bytes_.data(), bytes_.size()}, at - span.start());
      }
      auto after = target_.memory.load<TcmallocSpan>(record);
      if (at == 0 && count == listed && after && after->objects == span.objects && after->bits == span.bits) {
        references_found_ += count;
        return free;
      }
      ++quality_.retries;
      if (!after || after->first != span.first || after->pages != span.pages || after->size_class() != span.size_class()) break;
      span = *after;
      references_said_ -= listed;
      listed = objects - std::min<std::uint64_t>(objects, span.references());
      references_said_ += listed;
    }
    return std::vector<bool>(objects);
  }

  Target target_;
  TcmallocSpans spans_;
  TcmallocCaches caches_;
  std::vector<Arena> arenas_;
  std::vector<Range> ranges_;
  std::vector<Checksum> checksums_;
  std::vector<char> bytes_;
  WalkQuality quality_;
  std::uint64_t references_said_ = 0, references_found_ = 0;
};

}  // namespace

std::unique_ptr<Heap> open_tcmalloc_heap(const Target& target) {
  std::optional<TcmallocSpans> spans = find_tcmalloc_spans(target);
  if (!spans) return nullptr;
  return std::make_unique<TcmallocHeap>(target, std::move(*spans));
}

}  // namespace dwell::memory::heap
