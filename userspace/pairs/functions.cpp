// SPDX-License-Identifier: Apache-2.0
#include "userspace/pairs/functions.h"

#include <elf.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "symbolizer/demangle.h"

namespace dwell::pairs {
namespace {

std::string without_blanks(std::string_view text) {
  std::string kept;
  std::ranges::copy_if(text, std::back_inserter(kept), [](char c) { return c != ' '; });
  return kept;
}

bool has_wildcard(std::string_view name) { return name.find_first_of("*?") != name.npos; }

// fnmatch() without classes of characters: brackets are those of operator[] and of arrays.
bool matches(const std::string& pattern, const std::string& name) {
  if (!has_wildcard(pattern)) return pattern == name;
  std::string escaped;
  for (char c : pattern) {
    if (c == '[' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return ::fnmatch(escaped.c_str(), name.c_str(), 0) == 0;
}

// The longest identifier of a name, which its mangled form holds as it is: it saves demangling most of a file's names.
std::string_view longest_word(std::string_view name) {
  std::string_view longest;
  std::size_t begin = 0;
  name = name.substr(0, name.find('('));
  for (std::size_t i = 0; i <= name.size(); ++i) {
    bool inside = i < name.size() && (std::isalnum(static_cast<unsigned char>(name[i])) || name[i] == '_');
    if (inside) continue;
    if (i - begin > longest.size()) longest = name.substr(begin, i - begin);
    begin = i + 1;
  }
  return longest.starts_with("operator") ? std::string_view() : longest;
}

// Not what lies apart of a function because it is seldom needed (.cold): that is jumped to.
bool is_copy(std::string_view symbol) {
  return std::ranges::any_of(std::array{".constprop.", ".isra.", ".part."}, [&](const char* mark) { return symbol.find(mark) != symbol.npos; }) &&
         !symbol.ends_with(".cold");
}

bool is_code(const ElfSymbol& symbol) {
  return symbol.defined && symbol.vaddr && (symbol.type == STT_FUNC || symbol.type == STT_NOTYPE);
}

}  // namespace

bool name_matches(std::string_view given, std::string_view symbol) {
  std::string pattern = without_blanks(given);
  if (matches(pattern, std::string(symbol))) return true;
  if (!is_mangled(symbol) || symbol.find(longest_word(given)) == symbol.npos) return false;
  if (symbol.find('.') != symbol.npos && without_clone_suffix(symbol) != symbol) return false;  // a part of one
  std::string whole = without_blanks(demangle(symbol, DemangleWidth::kFull));
  if (matches(pattern, whole)) return true;
  if (pattern.find('(') != pattern.npos && !pattern.ends_with("operator()")) return false;
  return matches(pattern, without_blanks(demangle(symbol, DemangleWidth::kShort)));
}

bool go_name_matches(std::string_view given, std::string_view function) {
  std::string pattern, name = without_blanks(function);
  bool is_pattern = false;
  char before = 0;
  for (char c : without_blanks(given)) {
    bool literal = c == '[' || c == '\\' || (c == '*' && before == '(');
    is_pattern |= !literal && (c == '*' || c == '?');
    if (literal) pattern += '\\';
    pattern += c;
    before = c;
  }
  return is_pattern ? ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0 : without_blanks(given) == name;
}

std::vector<FoundCopy> copies_in(const ElfFile& elf, const ElfFile* more, const std::vector<const PairFunction*>& wanted) {
  std::map<std::string, FoundCopy> found;
  for (const ElfFile* file : {&elf, more}) {
    if (!file) continue;
    for (const ElfSymbol& symbol : file->symbols()) {
      if (!is_code(symbol) || !is_copy(symbol.name)) continue;
      for (const PairFunction* one : wanted)
        if (name_matches(one->name, without_clone_suffix(symbol.name))) found[std::string(symbol.name)] = {one, demangle(symbol.name, DemangleWidth::kShort), ""};
    }
  }
  std::vector<FoundCopy> all;
  for (auto& [symbol, copy] : found) all.push_back(std::move(copy));
  return all;
}

std::vector<FoundFunction> functions_in(const ElfFile& elf, const ElfFile* more, const std::vector<const PairFunction*>& wanted) {
  std::map<std::pair<const PairFunction*, std::uint64_t>, FoundFunction> found;
  for (const ElfFile* file : {&elf, more}) {
    if (!file) continue;
    for (const ElfSymbol& symbol : file->symbols()) {
      if (!is_code(symbol)) continue;
      for (const PairFunction* one : wanted) {
        if (!name_matches(one->name, symbol.name)) continue;
        std::optional<std::uint64_t> offset = elf.offset_of_vaddr(symbol.vaddr);
        if (!offset) continue;
        FoundFunction& function = found[{one, symbol.vaddr}];
        function = {one, demangle(symbol.name, DemangleWidth::kShort), symbol.vaddr, std::max(symbol.size, function.size), *offset,
                    symbol.binding == STB_WEAK, is_mangled(symbol.name), false, ""};
      }
    }
  }
  std::vector<FoundFunction> all;
  for (auto& [key, function] : found) all.push_back(std::move(function));
  return all;
}

}  // namespace dwell::pairs
