// SPDX-License-Identifier: Apache-2.0
// What the chunks of the shared tables mean: for each type, how it is written and, beside it, how it is read back.
// Those of a subject are its own: ChunkReader below is how it hands them to the reader.
//
// decode_*() take the content of one chunk, add it to a recording, and return what is wrong with it: "" when
// nothing is. They trust nothing: every index is checked against what was read before, so that whoever uses a
// Recording need not. Bytes after the fields known here belong to a later version and are passed over.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "userspace/base/cursor.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/model.h"

namespace dwell {

inline constexpr std::uint32_t kChunkInfo = chunk_type("INFO");
inline constexpr std::uint32_t kChunkProcess = chunk_type("PROC");
inline constexpr std::uint32_t kChunkModules = chunk_type("MODS");
inline constexpr std::uint32_t kChunkLocations = chunk_type("LOCS");
inline constexpr std::uint32_t kChunkStacks = chunk_type("STKS");
inline constexpr std::uint32_t kChunkLosses = chunk_type("LOSS");
inline constexpr std::uint32_t kChunkChildren = chunk_type("KIDS");
inline constexpr std::uint32_t kChunkCost = chunk_type("COST");
inline constexpr std::uint32_t kChunkCostParts = chunk_type("CPRT");
inline constexpr std::uint32_t kChunkNote = chunk_type("NOTE");
inline constexpr std::uint32_t kChunkMark = chunk_type("MARK");
inline constexpr std::uint32_t kChunkUnseen = chunk_type("MISS");
inline constexpr std::uint32_t kChunkSymbols = chunk_type("SYMS");
inline constexpr std::uint32_t kChunkEnd = chunk_type("END ");
inline constexpr std::size_t kMaxStackDepth = 1024;
// CallStack::end of a stack that was cut because there was no room for all of it; beyond every dwell_stack_end.
inline constexpr std::uint8_t kStackShortened = 64;
// The same of one that was cut where other code had come to lie than the unwinder knew of.
inline constexpr std::uint8_t kStackReplaced = 65;
inline constexpr std::size_t kMaxStacks = std::size_t{1} << 20;
inline constexpr std::size_t kSymbolsPerChunk = std::size_t{1} << 14;

// How one type of chunk is read. `decode` is held to the rules above.
struct ChunkReader {
  std::uint32_t type;
  std::string (*decode)(Cursor& in, Recording& out);
};

std::string encode_info(const RecordingInfo& info);
std::string decode_info(Cursor& in, Recording& out);

std::string encode_process(ProcessSlot slot, const ProcessInfo& process);
std::string decode_process(Cursor& in, Recording& out);

// `first`: the index of the first of these. The same for locations and stacks.
std::string encode_modules(std::size_t first, std::span<const Module> modules);
std::string decode_modules(Cursor& in, Recording& out);

std::string encode_locations(std::size_t first, std::span<const Location> locations);
std::string decode_locations(Cursor& in, Recording& out);

struct StackView {
  std::span<const std::uint32_t> locations;
  std::uint8_t end;
};
std::string encode_stacks(std::size_t first, std::span<const StackView> stacks);
std::string decode_stacks(Cursor& in, Recording& out);

std::string encode_losses(std::span<const Loss> losses);
std::string decode_losses(Cursor& in, Recording& out);

std::string encode_children(const ChildCounts& children);
std::string decode_children(Cursor& in, Recording& out);

std::string encode_cost(const CostSample& cost);
std::string encode_cost_parts(std::span<const CostPart> parts);
std::string decode_cost(Cursor& in, Recording& out);
std::string decode_cost_parts(Cursor& in, Recording& out);

std::string encode_note(const Note& note);
std::string decode_note(Cursor& in, Recording& out);

std::string encode_mark(const Mark& mark);
std::string decode_mark(Cursor& in, Recording& out);

std::string encode_unseen(const Unseen& unseen);
std::string decode_unseen(Cursor& in, Recording& out);

std::string encode_symbols(std::size_t first_location, std::span<const LocationSymbol> symbols);
std::string decode_symbols(Cursor& in, std::uint64_t& text_bytes, Recording& out);

std::string encode_end(const RecordingEnd& end);
std::string decode_end(Cursor& in, Recording& out);

}  // namespace dwell
