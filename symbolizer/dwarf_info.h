// SPDX-License-Identifier: Apache-2.0
// DwarfInfo: address to function, file, line and inlined frames for one program or library, from DWARF 2 to 5,
// whole or split, shared by dwz or not.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/dwarf_functions.h"
#include "symbolizer/dwarf_lines.h"
#include "symbolizer/dwarf_unit.h"

namespace dwell::dwarf {

struct Frame {
  FunctionName name;
  std::string_view qualified;  // "a::b::f" for a function in namespaces or classes without a linkage name
  const FunctionEntry* function = nullptr;
  std::string_view file;
  std::uint32_t line = 0;
  bool inlined = false;
};

// How the files that this one refers to are found. Each may be empty, and may return null.
struct Companions {
  std::function<std::shared_ptr<const ElfFile>()> supplementary;  // dwz
  std::function<std::shared_ptr<const ElfFile>(std::string_view name, std::string_view directory)> split_unit;
  std::function<std::shared_ptr<const ElfFile>()> split_package;
  bool qualify_names = true;  // whether anybody looks at Frame::qualified
};

class DwarfInfo {
 public:
  // `code` are the address ranges that hold code in the program itself.
  // Null if there is no .debug_info.
  static std::unique_ptr<DwarfInfo> open(std::shared_ptr<const ElfFile> debug, std::vector<Range> code,
                                         Companions companions);

  // What the file may cost counts from here.
  void start_batch() { budget_ = Budget(budget_of_batch_); }

  // Frames at the address, innermost first; nothing if no unit covers it. Views live as long as this object.
  void find(std::uint64_t address, std::vector<Frame>& frames);

  // Addresses of one unit are best asked for in a row: this is what to sort them by.
  std::uint32_t unit_number(std::uint64_t address);

  // The function around the address that is not inlined into any other; null if there is none.
  const FunctionEntry* outermost_function(std::uint64_t address);

  // The file made us read more than any honest file does; what it says after that is not looked at.
  bool has_given_up() const { return budget_.exhausted(); }
  std::uint64_t loaded() const;
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  // What was built from a unit that was asked for.
  struct UnitState {
    Unit* unit = nullptr;        // in the program
    Unit* bulk = nullptr;        // with the entries: the same, or the split one
    FunctionIndex functions;
    std::optional<ScopeIndex> scopes;
    LineTable lines;
    absl::flat_hash_map<std::uint64_t, std::string_view> paths;
    absl::flat_hash_map<std::uint64_t, std::string_view> qualified;
  };

  explicit DwarfInfo(std::uint64_t budget) : budget_of_batch_(budget), budget_(budget) {}
  void read_aranges();
  void scan_units();
  UnitState* state_at(std::uint64_t address);
  UnitState* state_of(Unit* unit);
  Unit* split_unit_of(Unit& skeleton);
  Unit* unit_of_package(const Unit& skeleton);
  bool find_in(UnitState& state, std::uint64_t address, std::vector<Frame>& frames);
  std::string_view path_of(UnitState& state, std::uint64_t file);
  std::string_view qualified_name(UnitState& state, const FunctionName& name);
  std::string_view intern(std::string text);

  std::uint64_t budget_of_batch_;
  Budget budget_;
  CodeRanges code_;
  Companions companions_;
  std::unique_ptr<DwarfFile> main_;
  std::unique_ptr<DwarfFile> supplementary_, package_;
  bool supplementary_tried_ = false, package_tried_ = false;
  std::vector<std::unique_ptr<DwarfFile>> split_files_;

  std::vector<std::uint64_t> units_in_aranges_;  // sorted offsets
  IntervalMap from_aranges_, from_units_;        // address to index in unit_offsets_
  std::vector<std::uint64_t> unit_offsets_;
  bool scanned_ = false;
  std::uint64_t state_memory_ = 0;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<UnitState>> states_;
  absl::flat_hash_map<std::string, std::unique_ptr<std::string>> interned_;
  std::vector<std::string> problems_;
};

}  // namespace dwell::dwarf
