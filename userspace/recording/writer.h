// SPDX-License-Identifier: Apache-2.0
// RecordingWriter: appends facts to a .dwell file, so that it can be read at any moment up to the last whole
// chunk, whatever happens to the writer.
//
//   Result<RecordingWriter> writer = RecordingWriter::create("app.dwell", info);
//   writer->set_process(0, process);
//   StackId stack = writer->add_stack(locations, end);   // locations from add_location(), modules from add_module()
//   write_memory_tick(*writer, ledger.take_tick(now), ledger.series());   // a subject's own: writer->append(...)
//   writer->finish({...});
//
// add_*() give the same index for the same thing and only keep it in memory; every write_*() first writes
// what was added since. The same calls make the same bytes.
// After an error nothing more is written: each further call returns the first error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/output_file.h"
#include "userspace/base/result.h"
#include "userspace/recording/model.h"

namespace dwell {

class RecordingWriter {
 public:
  // Nothing may stand at `path`. Readable and writable by its owner only: it holds command lines and addresses.
  static Result<RecordingWriter> create(const std::string& path, const RecordingInfo& info);
  // Into a file that is open, and empty.
  static Result<RecordingWriter> create(OutputFile file, const RecordingInfo& info);
  RecordingWriter(RecordingWriter&&) noexcept;
  RecordingWriter& operator=(RecordingWriter&&) noexcept;
  ~RecordingWriter();

  void set_process(ProcessSlot slot, const ProcessInfo& process);  // again when something of it changed
  std::uint32_t add_module(const Module& module);
  std::uint32_t add_location(const Location& location);
  // kUnknown when the table is full; the caller counts that as LossKind::kStackTableFull.
  StackId add_stack(std::span<const std::uint32_t> locations, std::uint8_t end);

  // A chunk of a subject. What it names of the tables is written first.
  Result<void> append(std::uint32_t type, std::string_view payload);
  // This process may be named from now on, whether or not anything is known of it yet.
  void know_process(ProcessSlot slot);
  // What subjects remember between the chunks that they append.
  Parts& state();
  std::uint64_t appended_bytes() const;  // that the last append() took in the file, without the tables
  Result<void> write_losses(std::span<const Loss> losses);
  Result<void> write_children(const ChildCounts& children);
  Result<void> write_cost(const CostSample& cost);
  Result<void> write_cost_parts(std::span<const CostPart> parts);
  Result<void> write_note(const Note& note);
  Result<void> write_mark(const Mark& mark);
  Result<void> write_unseen(const Unseen& unseen);
  // Again, when something of it is known better: the last one holds.
  Result<void> write_info(const RecordingInfo& info);
  // What is known of processes, code and stacks by now: for whoever reads the file meanwhile.
  Result<void> write_tables();
  // Symbols of the locations first_location, first_location + 1, ...; a later one replaces an earlier one.
  Result<void> write_symbols(std::uint32_t first_location, std::span<const LocationSymbol> symbols);
  // Marks the recording as ended, and syncs it to the disk. Call write_symbols() before.
  Result<void> finish(const RecordingEnd& end);

  std::span<const Module> modules() const;
  std::span<const Location> locations() const;
  std::size_t stack_count() const;
  std::span<const std::uint32_t> locations_of(StackId stack) const;  // good until the next add_stack()
  std::uint64_t bytes_written() const;
  std::size_t memory_bytes() const;  // what the tables take

 private:
  struct Impl;
  explicit RecordingWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Writes to `to` the recording `from` with these symbols (by location) in place of those it had. Everything
// else is copied as it is, chunks unknown to this dwell too. `to` may be `from`; it is replaced at once or not
// at all.
Result<void> rewrite_symbols(const std::string& from, const std::string& to,
                             std::span<const LocationSymbol> symbols);

}  // namespace dwell
