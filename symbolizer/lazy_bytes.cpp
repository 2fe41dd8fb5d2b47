// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/lazy_bytes.h"

#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace dwell {

namespace {
constexpr std::size_t kMaxInflated = std::size_t{4} << 30;
// Debug information shrinks to a third or a fifth. What claims to shrink to nothing is after our memory.
constexpr std::size_t kMaxRatio = 20;
constexpr std::size_t kAlwaysInflated = std::size_t{64} << 20;
}  // namespace

LazyBytes LazyBytes::of_section(const std::shared_ptr<const ElfFile>& elf, std::string_view name) {
  LazyBytes result;
  const ElfSection* section = elf->section(name);
  if (!section || section->type == SHT_NOBITS || section->size == 0) return result;
  if (section->flags & SHF_COMPRESSED) {
    std::size_t most = std::clamp<std::size_t>(section->size, kAlwaysInflated / kMaxRatio, kMaxInflated / kMaxRatio);
    most *= kMaxRatio;
    std::shared_ptr<const std::string> content = elf->shared_section_bytes(name, most);
    return content ? of_bytes(std::move(content)) : LazyBytes();
  }
  if (section->file_offset > elf->file_size() || section->size > elf->file_size() - section->file_offset)
    return result;
  void* memory =
      ::mmap(nullptr, section->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return result;
  result.elf_ = elf;
  result.memory_ = static_cast<char*>(memory);
  result.size_ = section->size;
  result.file_offset_ = section->file_offset;
  result.is_loaded_.resize((section->size + kPiece - 1) / kPiece);
  return result;
}

LazyBytes LazyBytes::of_bytes(std::shared_ptr<const std::string> bytes) {
  LazyBytes result;
  result.held_ = std::move(bytes);
  result.size_ = result.loaded_ = result.held_->size();
  return result;
}

LazyBytes::LazyBytes(LazyBytes&& other) noexcept { *this = std::move(other); }

LazyBytes& LazyBytes::operator=(LazyBytes&& other) noexcept {
  std::swap(elf_, other.elf_);
  std::swap(held_, other.held_);
  std::swap(file_offset_, other.file_offset_);
  std::swap(size_, other.size_);
  std::swap(loaded_, other.loaded_);
  std::swap(memory_, other.memory_);
  std::swap(is_loaded_, other.is_loaded_);
  return *this;
}

LazyBytes::~LazyBytes() {
  if (memory_) ::munmap(memory_, size_);
}

bool LazyBytes::load(std::uint64_t first_piece, std::uint64_t end_piece) {
  std::uint64_t from = first_piece * kPiece;
  std::uint64_t length = std::min(end_piece * kPiece, size_) - from;
  if (!elf_->read_at(file_offset_ + from, std::as_writable_bytes(std::span(memory_ + from, length)))) return false;
  std::fill(is_loaded_.begin() + first_piece, is_loaded_.begin() + end_piece, true);
  loaded_ += length;
  return true;
}

bool LazyBytes::ensure(std::uint64_t offset, std::uint64_t length) {
  if (!memory_) return true;
  std::uint64_t end = (offset + length + kPiece - 1) / kPiece;
  for (std::uint64_t piece = offset / kPiece; piece < end; ++piece) {
    if (is_loaded_[piece]) continue;
    std::uint64_t run_end = piece + 1;
    while (run_end < end && !is_loaded_[run_end]) ++run_end;
    if (!load(piece, run_end)) return false;
    piece = run_end - 1;
  }
  return true;
}

std::string_view LazyBytes::view(std::uint64_t offset, std::uint64_t length) {
  if (empty() || offset > size_ || length > size_ - offset || !ensure(offset, length)) return {};
  return {(memory_ ? memory_ : held_->data()) + offset, length};
}

std::string_view LazyBytes::up_to(std::uint64_t offset, std::uint64_t length) {
  if (offset >= size_) return {};
  return view(offset, std::min(length, size_ - offset));
}

std::string_view LazyBytes::c_string(std::uint64_t offset) {
  // Names are short: look in the piece at hand first, and only then further.
  for (std::uint64_t length = kPiece - offset % kPiece; length <= kMaxString; length *= 2) {
    std::string_view text = up_to(offset, length);
    std::size_t end = text.find('\0');
    if (end != std::string_view::npos) return text.substr(0, end);
    if (text.size() < length) break;
  }
  return {};
}

std::string_view LazyBytes::read_into(std::uint64_t offset, std::uint64_t length, std::unique_ptr<char[]>& buffer,
                                      std::uint64_t& capacity) {
  if (!memory_) return view(offset, length);
  if (offset > size_ || length > size_ - offset) return {};
  if (capacity < length) {
    capacity = std::max(length, capacity * 2);
    buffer = std::make_unique_for_overwrite<char[]>(capacity);
  }
  if (!elf_->read_at(file_offset_ + offset, std::as_writable_bytes(std::span(buffer.get(), length)))) return {};
  return {buffer.get(), length};
}

bool LazyBytes::peek(std::uint64_t offset, void* to, std::size_t length) {
  if (offset > size_ || length > size_ - offset) return false;
  if (!memory_ || is_loaded_[offset / kPiece]) {
    std::string_view text = view(offset, length);
    if (text.size() != length) return false;
    std::memcpy(to, text.data(), length);
    return true;
  }
  return static_cast<bool>(
      elf_->read_at(file_offset_ + offset, std::span(static_cast<std::byte*>(to), length)));
}

}  // namespace dwell
