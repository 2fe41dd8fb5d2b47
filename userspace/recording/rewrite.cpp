// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "userspace/base/files.h"
#include "userspace/base/mapped_file.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"

namespace dwell {

namespace {

void append_symbols(std::string& out, std::uint32_t& sequence, std::span<const LocationSymbol> symbols) {
  for (std::size_t first = 0; first < symbols.size(); first += kSymbolsPerChunk) {
    std::span<const LocationSymbol> part = symbols.subspan(first, std::min(kSymbolsPerChunk, symbols.size() - first));
    out += make_chunk(kChunkSymbols, sequence++, encode_symbols(first, part));
  }
}

}  // namespace

Result<void> rewrite_symbols(const std::string& from, const std::string& to, std::span<const LocationSymbol> symbols) {
  Result<MappedFile> file = MappedFile::open(from);
  if (!file) return file.error();
  Result<ChunkWalker> walker = ChunkWalker::open(file->bytes(), from);
  if (!walker) return walker.error();
  std::string out = file_header(), scratch;
  std::uint32_t sequence = 0;
  bool ended = false;
  Chunk chunk;
  for (;;) {
    Result<bool> more = walker->next(chunk);
    if (!more) return more.error();
    if (!*more) break;
    if (chunk.type == kChunkSymbols) continue;
    Result<std::span<const std::byte>> content = walker->content(chunk, scratch);
    if (!content) return content.error();
    if (chunk.type == kChunkEnd && !ended) {
      append_symbols(out, sequence, symbols);
      ended = true;
    }
    out += make_chunk(chunk.type, sequence++, {reinterpret_cast<const char*>(content->data()), content->size()});
  }
  if (!ended) append_symbols(out, sequence, symbols);
  return write_file_atomically(to, out, 0600);
}

}  // namespace dwell
