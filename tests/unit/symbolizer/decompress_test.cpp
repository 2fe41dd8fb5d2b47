// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/decompress.h"

#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

namespace dwell {
namespace {

std::string long_text() {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += std::to_string(i * 7919);
  return text;
}

std::string by_zlib(const std::string& text) {
  uLongf size = ::compressBound(text.size());
  std::string out(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(text.data()), text.size());
  out.resize(size);
  return out;
}

std::string by_zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string by_xz(const std::string& text) {
  std::string out(::lzma_stream_buffer_bound(text.size()), '\0');
  std::size_t size = 0;
  EXPECT_EQ(::lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                      reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                      reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

struct Format {
  const char* name;
  std::string (*compress)(const std::string&);
  Result<std::string> (*inflate)(std::string_view, std::size_t);
};

class Decompress : public ::testing::TestWithParam<Format> {};

TEST_P(Decompress, GivesBackWhatWasCompressed) {
  for (const std::string& text : {std::string(), std::string("a"), long_text()}) {
    Result<std::string> out = GetParam().inflate(GetParam().compress(text), text.size());
    ASSERT_TRUE(out) << out.error().what;
    EXPECT_EQ(*out, text);
  }
}

TEST_P(Decompress, StopsAtTheLimit) {
  std::string text = long_text();
  EXPECT_FALSE(GetParam().inflate(GetParam().compress(text), text.size() - 1));
  EXPECT_FALSE(GetParam().inflate(GetParam().compress(text), 0));
}

TEST_P(Decompress, RefusesEveryTruncation) {
  std::string text(3000, 'x');
  for (int i = 0; i < 3000; ++i) text[i] = static_cast<char>(i * i % 251);
  std::string compressed = GetParam().compress(text);
  for (std::size_t length = 0; length < compressed.size(); length += 7)
    EXPECT_FALSE(GetParam().inflate(std::string_view(compressed).substr(0, length), 1 << 20)) << length;
}

TEST_P(Decompress, SurvivesEveryFlippedByte) {
  std::string text(2000, 'x');
  for (int i = 0; i < 2000; ++i) text[i] = static_cast<char>(i * i % 251);
  std::string compressed = GetParam().compress(text);
  for (std::size_t at = 0; at < compressed.size(); ++at) {
    std::string damaged = compressed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    Result<std::string> out = GetParam().inflate(damaged, 1 << 20);
    EXPECT_TRUE(!out || out->size() <= std::size_t{1} << 20);
    out = GetParam().inflate(damaged, text.size());
    EXPECT_TRUE(!out || out->size() <= text.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Decompress,
                         ::testing::Values(Format{"zlib", by_zlib, inflate_zlib}, Format{"zstd", by_zstd, inflate_zstd},
                                           Format{"xz", by_xz, inflate_xz}),
                         [](const auto& format) { return format.param.name; });

}  // namespace
}  // namespace dwell
