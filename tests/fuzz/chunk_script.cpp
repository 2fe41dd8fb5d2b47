// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/chunk_script.h"

#include <algorithm>

#include "userspace/base/cursor.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/subjects/chunks.h"

namespace dwell {
namespace {

// What a recorder writes first, then what subjects write, then the rest.
const std::vector<std::uint32_t>& chunk_types() {
  static const std::vector<std::uint32_t> all = [] {
    std::vector<std::uint32_t> types = {kChunkInfo, kChunkProcess, kChunkModules, kChunkLocations, kChunkStacks};
    for (const ChunkReader& reader : all_chunks()) types.push_back(reader.type);
    for (std::uint32_t type : {kChunkLosses, kChunkChildren, kChunkCost, kChunkNote, kChunkSymbols, kChunkEnd, kChunkMark})
      types.push_back(type);
    return types;
  }();
  return all;
}

}  // namespace

namespace {

// One more than there are: a type that no reader knows.
std::uint32_t type_of(std::uint8_t index) {
  index %= chunk_types().size() + 1;
  return index < chunk_types().size() ? chunk_types()[index] : chunk_type("NEW ");
}

}  // namespace

std::string file_from_script(std::span<const std::byte> script) {
  std::string file = file_header();
  std::uint32_t sequence = 0;
  Cursor in(script);
  while (!in.at_end()) {
    std::uint32_t type = type_of(in.u8());
    std::size_t length = std::min<std::size_t>(in.u16(), in.remaining());
    std::string_view content = in.text(length);
    if (sequence == 0 && type != kChunkInfo) file += make_chunk(kChunkInfo, sequence++, {});
    file += make_chunk(type, sequence++, content);
  }
  return file;
}

std::string script_from_file(std::span<const std::byte> file) {
  std::string script, scratch;
  Result<ChunkWalker> walker = ChunkWalker::open(file, "corpus");
  if (!walker) return script;
  for (Chunk chunk;;) {
    Result<bool> more = walker->next(chunk);
    if (!more || !*more) return script;
    Result<std::span<const std::byte>> content = walker->content(chunk, scratch);
    auto type = std::ranges::find(chunk_types(), chunk.type);
    if (!content || content->size() > 0xffff || type == chunk_types().end()) continue;
    script += static_cast<char>(type - chunk_types().begin());
    script += static_cast<char>(content->size() & 0xff);
    script += static_cast<char>(content->size() >> 8);
    script.append(reinterpret_cast<const char*>(content->data()), content->size());
  }
}

}  // namespace dwell
