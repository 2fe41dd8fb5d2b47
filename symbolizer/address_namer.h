// SPDX-License-Identifier: Apache-2.0
// AddressNamer: names the addresses of one module, one after the other. A large batch is shared out to several
// of them, each with its own reader of the debug information, so that none waits for another.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/debug_files.h"
#include "symbolizer/dwarf_info.h"
#include "symbolizer/go_inline.h"
#include "symbolizer/go_table.h"
#include "symbolizer/perf_map.h"
#include "symbolizer/symbol_table.h"
#include "symbolizer/symbolizer.h"

namespace dwell {

// What is found about a module when it is opened. During a batch nothing in here changes.
struct OpenedModule {
  const SymbolizerOptions& options;
  ModuleRef ref;
  std::shared_ptr<const ElfFile> elf;    // null: not there
  std::shared_ptr<const ElfFile> debug;  // file with the debug information: the same, a separate one, or null
  bool is_go = false;
  SymbolTable symbols;
  GoTable go;
  GoInlining inlining;
  AddressMap names;  // of JIT code or of the kernel

  DebugSearch search() const;
  std::optional<std::uint64_t> vaddr_of(std::uint64_t offset) const;
  bool has_file() const { return ref.kind == CodeKind::kFile || ref.kind == CodeKind::kVdso; }
};

// Where an address is looked up: a return address stands behind its call, perhaps in the next function.
inline std::uint64_t lookup_offset(const AddressQuery& query) {
  return query.is_return_address && query.offset != 0 ? query.offset - 1 : query.offset;
}

class AddressNamer {
 public:
  explicit AddressNamer(const OpenedModule& module) : module_(module) {}

  // What a file may cost is counted by the batch.
  void start_batch() {
    if (debug_info_) debug_info_->start_batch();
  }

  // Appends one frame or more. The texts live as long as this object.
  NameSource look_up(const AddressQuery& query, std::vector<ResolvedFrame>& frames);

  // Addresses with the same number are best asked for in a row.
  std::uint32_t unit_number(std::uint64_t offset);

  // Reads debug information from the start at its next use; names that were given stay valid.
  void release_debug_info();

  bool has_debug_info() { return debug_info() != nullptr; }
  std::uint64_t loaded() const { return debug_info_ ? debug_info_->loaded() : 0; }
  // What was missing or wrong in the debug information, with what to do about it.
  std::optional<Error> problem() const;

 private:
  struct Text {
    std::string_view function, system_name;
  };

  dwarf::DwarfInfo* debug_info();
  NameSource look_up_in_file(std::uint64_t offset, std::vector<ResolvedFrame>& frames);
  NameSource look_up_in_map(std::uint64_t address, std::vector<ResolvedFrame>& frames);
  bool add_debug_frames(std::uint64_t vaddr, const FunctionSymbol* symbol, std::vector<ResolvedFrame>& frames);

  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }
  std::string_view keep_path(std::string_view path);
  std::string_view keep_once(std::string_view text);
  Text make_text(std::string_view name, bool resolver);
  const Text& text_of(const FunctionSymbol& symbol);
  const Text& text_of_whole(const FunctionSymbol& symbol);
  const Text& text_of(const dwarf::Frame& frame);

  const OpenedModule& module_;
  bool debug_info_tried_ = false;
  std::unique_ptr<dwarf::DwarfInfo> debug_info_;
  std::vector<dwarf::Frame> scratch_;
  std::string supplementary_problem_;

  std::deque<std::string> kept_;
  std::vector<Text> symbol_texts_;  // by number of the symbol, made when first shown
  // By where the text stands in the file: equal strings are mostly one string there.
  absl::flat_hash_map<const char*, Text> debug_texts_, whole_texts_;
  absl::flat_hash_map<const char*, std::string_view> paths_;
  absl::flat_hash_map<std::string, std::string_view> kept_once_;
};

}  // namespace dwell
