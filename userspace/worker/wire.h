// SPDX-License-Identifier: Apache-2.0
// What the parser is asked, and what it answers. An answer is checked as a file of a stranger's would be: every index
// and every count that the readers behind rely on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "symbolizer/named_frames.h"
#include "userspace/base/cursor.h"
#include "userspace/base/open_regular.h"
#include "userspace/unwind/module_source.h"

namespace dwell {

enum class ParserQuestion : std::uint8_t { kDescribe = 1, kTable = 2, kNames = 3 };

struct NamesQuestion {
  SymbolizerOptions options;
  ModuleRef module;
  std::vector<AddressQuery> queries;
};

// Questions come from us, and are trusted.
std::string encode_source(const ModuleSource& source);
ModuleSource decode_source(Cursor& in);
std::string encode_names_question(const SymbolizerOptions& options, const ModuleRef& module,
                                  std::span<const AddressQuery> queries);
NamesQuestion decode_names_question(Cursor& in);
// This one comes from the parser.
std::string encode_file_request(const FileRequest& request);
std::optional<FileRequest> decode_file_request(std::string_view bytes);

// Answers: none is "not one that could be meant".
std::string encode_error(const Error& error);
Error decode_error(Cursor& in);
std::string encode_facts(const ModuleFacts& facts);
std::optional<ModuleFacts> decode_facts(std::string_view bytes);
std::string encode_names(const NamedFrames& names);
std::optional<NamedFrames> decode_names(std::string_view bytes, std::size_t queries);

}  // namespace dwell
