// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/decompress.h"

#include <fmt/core.h>
#include <libdeflate.h>
#include <lzma.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

namespace dwell {

namespace {

constexpr std::size_t kFirstPiece = std::size_t{64} << 10;
constexpr std::uint64_t kXzMemoryLimit = std::uint64_t{256} << 20;

Error damaged(const char* format) {
  return {fmt::format("decompress {} data: it is damaged or ends too early", format), "", Exit::kBadInput};
}

Error too_long(const char* format, std::size_t limit) {
  return {fmt::format("decompress {} data: longer than the {} bytes that are expected at most", format, limit), "",
          Exit::kBadInput};
}

// Makes room for more output behind `used` bytes; false once the limit is reached.
bool grow(std::string& output, std::size_t used, std::size_t limit) {
  if (used < output.size()) return true;
  if (used >= limit) return false;
  output.resize(std::min(limit, std::max(kFirstPiece, used * 2)));
  return true;
}

}  // namespace

Result<std::string> inflate_zlib(std::string_view compressed, std::size_t length) {
  // No deflate stream holds more than 1032 bytes for each of its own: a length beyond that is a lie.
  if (length / 1032 > compressed.size()) return damaged("zlib");
  std::unique_ptr<libdeflate_decompressor, decltype(&::libdeflate_free_decompressor)> inflater(
      ::libdeflate_alloc_decompressor(), &::libdeflate_free_decompressor);
  std::string output(length, '\0');
  // A null length to store: exactly as much is asked for.
  libdeflate_result result = ::libdeflate_zlib_decompress(inflater.get(), compressed.data(), compressed.size(),
                                                          output.data(), output.size(), nullptr);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return too_long("zlib", length);
  if (result != LIBDEFLATE_SUCCESS) return damaged("zlib");
  return output;
}

Result<std::string> inflate_zstd(std::string_view compressed, std::size_t limit) {
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
  if (!stream) return damaged("zstd");
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 27);
  std::string output;
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  std::size_t used = 0;
  for (;;) {
    bool has_room = grow(output, used, limit);
    ZSTD_outBuffer out{output.data() + used, has_room ? output.size() - used : 0, 0};
    std::size_t before = in.pos;
    std::size_t left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left)) return damaged("zstd");
    used += out.pos;
    if (left == 0 && in.pos == in.size) break;
    if (out.pos == 0 && in.pos == before) return has_room ? damaged("zstd") : too_long("zstd", limit);
  }
  output.resize(used);
  return output;
}

Result<std::string> inflate_xz(std::string_view compressed, std::size_t limit) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (::lzma_stream_decoder(&stream, kXzMemoryLimit, 0) != LZMA_OK) return damaged("xz");
  std::unique_ptr<lzma_stream, decltype(&::lzma_end)> owner(&stream, &::lzma_end);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(compressed.data());
  stream.avail_in = compressed.size();
  std::string output;
  std::size_t used = 0;
  for (;;) {
    bool has_room = grow(output, used, limit);
    char none;
    std::size_t room = has_room ? output.size() - used : 0;
    stream.next_out = reinterpret_cast<std::uint8_t*>(has_room ? output.data() + used : &none);
    stream.avail_out = room;
    lzma_ret status = ::lzma_code(&stream, LZMA_FINISH);
    used += room - stream.avail_out;
    if (status == LZMA_STREAM_END) break;
    if (!has_room) return too_long("xz", limit);
    if (status != LZMA_OK) return damaged("xz");
  }
  output.resize(used);
  return output;
}

}  // namespace dwell
