// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "userspace/base/output_file.h"
#include "userspace/recording/chunks.h"
#include "userspace/recording/codec.h"
#include "userspace/recording/writer.h"

namespace dwell {

namespace {

Result<void> write_symbols(OutputFile& out, std::uint32_t& sequence, std::span<const LocationSymbol> symbols) {
  Result<void> written;
  for (std::size_t first = 0; first < symbols.size() && written; first += kSymbolsPerChunk) {
    std::span<const LocationSymbol> part = symbols.subspan(first, std::min(kSymbolsPerChunk, symbols.size() - first));
    written = out.write(make_chunk(kChunkSymbols, sequence++, encode_symbols(first, part)));
  }
  return written;
}

}  // namespace

Result<void> rewrite_symbols(const std::string& from, const std::string& to, std::span<const LocationSymbol> symbols) {
  Result<ByteSource> file = ByteSource::open(from);
  if (!file) return file.error();
  Result<ChunkWalker> walker = ChunkWalker::open(std::move(*file), from);
  if (!walker) return walker.error();
  Result<OutputFile> out = OutputFile::replace(to, 0600);
  if (!out) return out.error();
  out->give_to_caller();
  Result<void> written = out->write(file_header());
  std::string scratch;
  std::uint32_t sequence = 0;
  bool ended = false;
  Chunk chunk;
  while (written) {
    Result<bool> more = walker->next(chunk);
    if (!more) return more.error();
    if (!*more) break;
    if (chunk.type == kChunkSymbols) continue;
    Result<std::span<const std::byte>> content = walker->content(chunk, scratch);
    if (!content) return content.error();
    if (chunk.type == kChunkEnd && !ended) {
      written = write_symbols(*out, sequence, symbols);
      ended = true;
    }
    std::string_view copied(reinterpret_cast<const char*>(content->data()), content->size());
    if (written) written = out->write(make_chunk(chunk.type, sequence++, copied));
  }
  if (written && !ended) written = write_symbols(*out, sequence, symbols);
  return written ? out->commit() : written;
}

}  // namespace dwell
