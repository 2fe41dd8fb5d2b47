// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/heap/glibc_image.h"

#include <algorithm>

namespace dwell::testing {
namespace {

constexpr std::uint64_t kDataSize = 0x2000, kHeapSize = 0x40000, kMappedSize = 0x40000;
constexpr std::uint64_t kParameters = 0x1000;  // of mp_ in the data, as in 2.35 and newer

Mapping mapping(std::uint64_t start, std::uint64_t size, const char* path, std::uint64_t inode) {
  Mapping made{};
  made.start = start, made.end = start + size;
  made.readable = made.writable = true;
  made.path = path, made.inode = inode;
  return made;
}

}  // namespace

GlibcImage::GlibcImage(std::uint64_t bins)
    : bins_(bins), data_(kDataSize), heap_(kHeapSize), mapped_(kMappedSize) {
  mappings_ = {mapping(kImageHeap, kHeapSize, "[heap]", 0), mapping(kImageData, kDataSize, "/lib/libc.so.6", 7),
               mapping(kImageMapped, kMappedSize, "", 0)};
  std::uint64_t first = arena() + bins_;
  for (std::uint64_t bin = 0; bin < 127; ++bin) {
    store(first + 16 * bin, first + 16 * bin - 16);
    store(first + 16 * bin + 8, first + 16 * bin - 16);
  }
  store(first + 2048, arena());     // next
  store(first + 2064, 1);           // attached_threads
  store(first + 2072, kHeapSize);   // system_mem
  store(first + 2080, kHeapSize);   // max_system_mem
  std::uint64_t parameters = kImageData + kParameters;
  store(parameters + 64, 65536);          // n_mmaps_max, max_n_mmaps
  store(parameters + 96, kImageHeap);     // sbrk_base
}

std::uint64_t GlibcImage::chunk(std::uint64_t size, bool in_use, std::uint64_t word1) {
  std::uint64_t at = next_;
  if (!previous_in_use_) store(at, previous_size_);
  store(at + 8, size | (previous_in_use_ ? 1 : 0));
  store(at + 24, word1);
  previous_in_use_ = in_use;
  previous_size_ = size;
  next_ += size;
  return at + 16;
}

std::uint64_t GlibcImage::fast(std::uint64_t size) {
  std::uint64_t block = chunk(size, true, 0);
  std::uint64_t head = arena() + bins_ - 96 + (size - 32) / 16 * 8;
  store(block, load(head) ^ (block >> 12));
  store(head, block - 16);
  return block;
}

std::uint64_t GlibcImage::cache(const std::vector<std::uint64_t>& blocks, const std::vector<std::uint64_t>& sizes) {
  std::uint64_t block = live(0x290);
  store(block + 8, 0);  // no key: counters
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::uint64_t bin = (sizes[i] - 32) / 16, word = block + bin / 4 * 8;
    store(word, load(word) + (std::uint64_t{1} << (bin % 4 * 16)));
    store(block + 128 + 8 * bin, blocks[i]);
    store(blocks[i], blocks[i] >> 12);  // the end of the list
  }
  return block;
}

std::uint64_t GlibcImage::mapped(std::uint64_t size) {
  std::uint64_t at = next_mapped_;
  store(at + 8, size | 2);
  next_mapped_ += size;
  ++mapped_chunks_, mapped_bytes_ += size;
  std::uint64_t parameters = kImageData + kParameters;
  store(parameters + 56, mapped_chunks_ << 32);            // hp_flags, n_mmaps
  store(parameters + 64, 65536 | mapped_chunks_ << 32);    // n_mmaps_max, max_n_mmaps
  store(parameters + 80, mapped_bytes_);
  store(parameters + 88, mapped_bytes_);
  return at + 16;
}

void GlibcImage::fencepost() {
  store(next_ + 8, 16 | (previous_in_use_ ? 1 : 0));
  store(next_ + 24, 16 | 1);
  next_ += 32;
  previous_in_use_ = true;
}

void GlibcImage::skip(std::uint64_t bytes) {
  for (std::uint64_t at = 0; at < bytes; at += 8) store(next_ + at, 0x4141414141414141);
  next_ += bytes;
}

void GlibcImage::finish(std::uint64_t top_size) {
  store(next_ + 8, top_size | 1);
  store(arena() + bins_ - 16, next_);
  mappings_[0].end = next_ + top_size;
  heap_.resize(next_ + top_size - kImageHeap);
}

const char* GlibcImage::place(std::uint64_t address, std::size_t& left) const {
  auto in = [&](std::uint64_t start, const std::vector<char>& bytes) -> const char* {
    if (address < start || address - start >= bytes.size()) return nullptr;
    left = bytes.size() - (address - start);
    return bytes.data() + (address - start);
  };
  if (const char* at = in(kImageData, data_)) return at;
  if (const char* at = in(kImageHeap, heap_)) return at;
  return in(kImageMapped, mapped_);
}

void GlibcImage::store(std::uint64_t address, std::uint64_t word) {
  std::size_t left = 0;
  char* at = const_cast<char*>(place(address, left));
  if (at && left >= 8) std::memcpy(at, &word, 8);
}

std::uint64_t GlibcImage::load(std::uint64_t address) const {
  std::uint64_t word = 0;
  read(address, &word, 8);
  return word;
}

std::size_t GlibcImage::read(std::uint64_t address, void* to, std::size_t size) const {
  std::size_t left = 0;
  const char* at = place(address, left);
  if (!at) return 0;
  size = std::min(size, left);
  std::memcpy(to, at, size);
  return size;
}

}  // namespace dwell::testing
