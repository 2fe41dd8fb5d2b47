// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/writer.h"

#include <absl/container/flat_hash_map.h>
#include <fmt/core.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"

namespace dwell {

struct RecordingWriter::Impl {
  explicit Impl(OutputFile output) : file(std::move(output)) {}

  OutputFile file;
  std::uint64_t appended_bytes = 0;
  std::uint32_t sequence = 0;
  Error failure;
  bool failed = false;

  std::map<ProcessSlot, ProcessInfo> changed_processes;
  std::size_t processes_known = 0;  // all below this slot can be named
  std::vector<Module> modules;
  std::vector<Location> locations;
  std::vector<std::uint32_t> stack_locations;  // of all stacks, one after the other
  std::vector<std::size_t> stack_begins{0, 0}; // stack i is [begins[i], begins[i + 1]); stack 0 is the unknown one
  std::vector<std::uint8_t> stack_ends{0};
  std::size_t modules_written = 0, locations_written = 0, stacks_written = 1;
  Parts state;

  absl::flat_hash_map<std::string, std::uint32_t> module_index;
  absl::flat_hash_map<std::tuple<std::int32_t, std::uint64_t, bool>, std::uint32_t> location_index;
  absl::flat_hash_map<std::uint64_t, StackId> stack_index;  // by hash of the content

  StackView stack(std::size_t index) const {
    return {std::span(stack_locations).subspan(stack_begins[index], stack_begins[index + 1] - stack_begins[index]),
            stack_ends[index]};
  }
  std::size_t stack_count() const { return stack_ends.size(); }

  Result<void> fail(Error error) {
    failed = true;
    failure = std::move(error);
    return failure;
  }
  Result<void> write_all(std::string_view content);
  Result<void> write_chunk(std::uint32_t type, std::string_view payload);
  Result<void> write_tables();
  Result<void> write_new_stacks();
};

// After a write that fails half way the file ends with a whole chunk.
Result<void> RecordingWriter::Impl::write_all(std::string_view content) {
  if (failed) return failure;
  Result<void> written = file.write(content);
  return written ? written : fail(written.error());
}

Result<void> RecordingWriter::Impl::write_chunk(std::uint32_t type, std::string_view payload) {
  if (failed) return failure;
  if (payload.size() > kMaxChunkBytes) {
    return fail({fmt::format("write {}: a chunk {} of {} bytes is more than the format can hold", file.path(),
                             chunk_type_name(type), payload.size()),
                 "", Exit::kOutput});
  }
  Result<void> written = write_all(make_chunk(type, sequence, payload));
  if (written) ++sequence;
  return written;
}

Result<void> RecordingWriter::Impl::write_new_stacks() {
  constexpr std::size_t kStacksPerChunk = 16384;
  while (stacks_written < stack_count()) {
    std::size_t count = std::min(kStacksPerChunk, stack_count() - stacks_written);
    std::vector<StackView> fresh;
    for (std::size_t i = 0; i < count; ++i) fresh.push_back(stack(stacks_written + i));
    Result<void> written = write_chunk(kChunkStacks, encode_stacks(stacks_written, fresh));
    if (!written) return written;
    stacks_written += count;
  }
  return {};
}

// What a chunk refers to is in the file before it.
Result<void> RecordingWriter::Impl::write_tables() {
  for (const auto& [slot, process] : std::exchange(changed_processes, {})) {
    Result<void> written = write_chunk(kChunkProcess, encode_process(slot, process));
    if (!written) return written;
  }
  if (modules_written < modules.size()) {
    std::span<const Module> fresh = std::span(modules).subspan(modules_written);
    Result<void> written = write_chunk(kChunkModules, encode_modules(modules_written, fresh));
    if (!written) return written;
    modules_written = modules.size();
  }
  if (locations_written < locations.size()) {
    std::span<const Location> fresh = std::span(locations).subspan(locations_written);
    Result<void> written = write_chunk(kChunkLocations, encode_locations(locations_written, fresh));
    if (!written) return written;
    locations_written = locations.size();
  }
  return write_new_stacks();
}

RecordingWriter::RecordingWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RecordingWriter::RecordingWriter(RecordingWriter&&) noexcept = default;
RecordingWriter& RecordingWriter::operator=(RecordingWriter&&) noexcept = default;
RecordingWriter::~RecordingWriter() = default;

Result<RecordingWriter> RecordingWriter::create(const std::string& path, const RecordingInfo& info) {
  Result<OutputFile> file = OutputFile::create(path, 0600);
  if (!file) return file.error();
  file->give_to_caller();
  return create(std::move(*file), info);
}

Result<RecordingWriter> RecordingWriter::create(OutputFile file, const RecordingInfo& info) {
  auto impl = std::make_unique<Impl>(std::move(file));
  Result<void> written = impl->write_all(file_header());
  if (written) written = impl->write_chunk(kChunkInfo, encode_info(info));
  if (!written) return written.error();
  return RecordingWriter(std::move(impl));
}

void RecordingWriter::set_process(ProcessSlot slot, const ProcessInfo& process) {
  impl_->changed_processes[slot] = process;
  impl_->processes_known = std::max(impl_->processes_known, slot + std::size_t{1});
}

std::uint32_t RecordingWriter::add_module(const Module& module) {
  std::string key = fmt::format("{}\n{}\n{}\n{}", static_cast<int>(module.kind), module.size, module.build_id, module.path);
  auto [it, added] = impl_->module_index.try_emplace(key, static_cast<std::uint32_t>(impl_->modules.size()));
  if (added) impl_->modules.push_back(module);
  return it->second;
}

std::uint32_t RecordingWriter::add_location(const Location& location) {
  auto [it, added] = impl_->location_index.try_emplace(
      std::tuple(location.module, location.offset, location.return_address),
      static_cast<std::uint32_t>(impl_->locations.size()));
  if (added) impl_->locations.push_back(location);
  return it->second;
}

StackId RecordingWriter::add_stack(std::span<const std::uint32_t> locations, std::uint8_t end) {
  locations = locations.first(std::min(locations.size(), kMaxStackDepth));
  std::uint64_t hash = XXH64(locations.data(), locations.size_bytes(), end);
  auto it = impl_->stack_index.find(hash);
  if (it != impl_->stack_index.end()) {
    StackView known = impl_->stack(static_cast<std::size_t>(it->second));
    if (known.end == end && std::ranges::equal(known.locations, locations)) return it->second;
  }
  if (impl_->stack_count() >= kMaxStacks) return StackId::kUnknown;
  StackId id = static_cast<StackId>(impl_->stack_count());
  impl_->stack_locations.insert(impl_->stack_locations.end(), locations.begin(), locations.end());
  impl_->stack_begins.push_back(impl_->stack_locations.size());
  impl_->stack_ends.push_back(end);
  impl_->stack_index.try_emplace(hash, id);
  return id;
}

Result<void> RecordingWriter::append(std::uint32_t type, std::string_view payload) {
  Result<void> written = impl_->write_tables();
  std::uint64_t before = impl_->file.bytes();
  if (written) written = impl_->write_chunk(type, payload);
  impl_->appended_bytes = impl_->file.bytes() - before;
  return written;
}

std::uint64_t RecordingWriter::appended_bytes() const { return impl_->appended_bytes; }

void RecordingWriter::know_process(ProcessSlot slot) {
  if (slot < impl_->processes_known) return;
  impl_->changed_processes.try_emplace(slot);
  impl_->processes_known = slot + std::size_t{1};
}

Parts& RecordingWriter::state() { return impl_->state; }

Result<void> RecordingWriter::write_losses(std::span<const Loss> losses) {
  return losses.empty() ? Result<void>() : impl_->write_chunk(kChunkLosses, encode_losses(losses));
}

Result<void> RecordingWriter::write_children(const ChildCounts& children) {
  return impl_->write_chunk(kChunkChildren, encode_children(children));
}

Result<void> RecordingWriter::write_cost(const CostSample& cost) {
  return impl_->write_chunk(kChunkCost, encode_cost(cost));
}

Result<void> RecordingWriter::write_cost_parts(std::span<const CostPart> parts) {
  return impl_->write_chunk(kChunkCostParts, encode_cost_parts(parts));
}

Result<void> RecordingWriter::write_note(const Note& note) { return impl_->write_chunk(kChunkNote, encode_note(note)); }
Result<void> RecordingWriter::write_mark(const Mark& mark) { return impl_->write_chunk(kChunkMark, encode_mark(mark)); }

Result<void> RecordingWriter::write_unseen(const Unseen& unseen) {
  return impl_->write_chunk(kChunkUnseen, encode_unseen(unseen));
}

Result<void> RecordingWriter::write_info(const RecordingInfo& info) { return impl_->write_chunk(kChunkInfo, encode_info(info)); }

Result<void> RecordingWriter::write_tables() { return impl_->write_tables(); }

Result<void> RecordingWriter::write_symbols(std::uint32_t first_location, std::span<const LocationSymbol> symbols) {
  Result<void> written = impl_->write_tables();
  for (std::size_t i = 0; written && i < symbols.size(); i += kSymbolsPerChunk) {
    std::span<const LocationSymbol> part = symbols.subspan(i, std::min(kSymbolsPerChunk, symbols.size() - i));
    written = impl_->write_chunk(kChunkSymbols, encode_symbols(first_location + i, part));
  }
  return written;
}

Result<void> RecordingWriter::finish(const RecordingEnd& end) {
  Result<void> written = impl_->write_tables();
  if (written) written = impl_->write_chunk(kChunkEnd, encode_end(end));
  if (written) written = impl_->file.commit();
  return written ? written : impl_->fail(written.error());
}

std::span<const Module> RecordingWriter::modules() const { return impl_->modules; }
std::span<const Location> RecordingWriter::locations() const { return impl_->locations; }
std::size_t RecordingWriter::stack_count() const { return impl_->stack_count(); }
std::span<const std::uint32_t> RecordingWriter::locations_of(StackId stack) const {
  return impl_->stack(static_cast<std::size_t>(stack)).locations;
}
std::uint64_t RecordingWriter::bytes_written() const { return impl_->file.bytes(); }

std::size_t RecordingWriter::memory_bytes() const {
  const Impl& w = *impl_;
  return w.stack_locations.capacity() * sizeof(std::uint32_t) + w.stack_begins.capacity() * sizeof(std::size_t) +
         w.stack_ends.capacity() + w.locations.capacity() * sizeof(Location) +
         w.location_index.capacity() * (sizeof(decltype(w.location_index)::value_type) + 1) +
         w.stack_index.capacity() * (sizeof(decltype(w.stack_index)::value_type) + 1);
}

}  // namespace dwell
