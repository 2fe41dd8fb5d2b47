// SPDX-License-Identifier: Apache-2.0
#include "userspace/recording/reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "userspace/base/cursor.h"
#include "userspace/base/memory_limit.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/decode_budget.h"

namespace dwell {

namespace {

// Decoding that spans chunks: what is begun and not yet part of the recording.
struct Decoder {
  std::span<const ChunkReader> subjects;
  Recording recording;
  std::uint64_t symbol_text = 0;

  std::string decode(std::uint32_t type, Cursor& in) {
    switch (type) {
      case kChunkInfo: return decode_info(in, recording);
      case kChunkProcess: return decode_process(in, recording);
      case kChunkModules: return decode_modules(in, recording);
      case kChunkLocations: return decode_locations(in, recording);
      case kChunkStacks: return decode_stacks(in, recording);
      case kChunkLosses: return decode_losses(in, recording);
      case kChunkChildren: return decode_children(in, recording);
      case kChunkCost: return decode_cost(in, recording);
      case kChunkCostParts: return decode_cost_parts(in, recording);
      case kChunkNote: return decode_note(in, recording);
      case kChunkMark: return decode_mark(in, recording);
      case kChunkUnseen: return decode_unseen(in, recording);
      case kChunkSymbols: return decode_symbols(in, symbol_text, recording);
      case kChunkEnd: return decode_end(in, recording);
      default: return decode_of_subject(type, in);
    }
  }

  std::string decode_of_subject(std::uint32_t type, Cursor& in) {
    for (const ChunkReader& reader : subjects)
      if (reader.type == type) return reader.decode(in, recording);
    ++recording.skipped_chunks;
    return "";
  }
};

Error too_large(const std::string& name) {
  return {fmt::format("read {}: it takes more memory than a recording of this size should, or than dwell may use", name),
          "if you trust it, give --max-memory a larger size", Exit::kBadInput};
}

Result<Recording> decode_all(ChunkWalker& walker, const std::string& name, std::span<const ChunkReader> subjects) {
  DecodeBudget budget(decode_budget(walker.file_bytes(), memory_limit() / 4 * 3));
  Decoder decoder{subjects, {}};
  decoder.recording.stacks.emplace_back();  // StackId::kUnknown
  std::string scratch;
  Chunk chunk;
  for (bool informed = false;; informed = true) {
    Result<bool> more = walker.next(chunk);
    if (!more) return more.error();
    if (!*more) {
      if (informed) break;
      return Error{"read " + name + ": the recording was cut off before anything was written", "", Exit::kBadInput};
    }
    if (!informed && chunk.type != kChunkInfo) return walker.damaged(chunk.offset, "it does not begin with INFO");
    if (!DecodeBudget::take(chunk.raw_size, 1)) return too_large(name);
    Result<std::span<const std::byte>> content = walker.content(chunk, scratch);
    if (!content) return content.error();
    Cursor in(*content);
    std::string wrong = decoder.decode(chunk.type, in);
    if (budget.exceeded()) return too_large(name);
    if (!wrong.empty()) return walker.damaged(chunk.offset, "chunk " + chunk_type_name(chunk.type) + ": " + wrong);
  }
  decoder.recording.file_bytes = walker.file_bytes();
  decoder.recording.readable_bytes = walker.readable_bytes();
  return std::move(decoder.recording);
}

}  // namespace

Result<Recording> parse_recording(std::span<const std::byte> bytes, const std::string& name,
                                  std::span<const ChunkReader> subjects) {
  Result<ChunkWalker> walker = ChunkWalker::open(bytes, name);
  return walker ? decode_all(*walker, name, subjects) : walker.error();
}

Result<Recording> read_recording(const std::string& path, std::span<const ChunkReader> subjects) {
  Result<ByteSource> file = ByteSource::open(path);
  if (!file) return file.error();
  Result<ChunkWalker> walker = ChunkWalker::open(std::move(*file), path);
  return walker ? decode_all(*walker, path, subjects) : walker.error();
}

}  // namespace dwell
