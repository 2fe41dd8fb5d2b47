// SPDX-License-Identifier: Apache-2.0
#include "ui/html_page.h"

#include <absl/strings/escaping.h>
#include <fmt/core.h>
#include <zlib.h>

#include "ui/escape.h"
#include "ui/html_assets.h"
#include "userspace/base/text.h"

namespace dwell {
namespace {

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string packed(size, '\0');
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(),
            Z_BEST_COMPRESSION);
  packed.resize(size);
  return packed;
}

// Length of the JSON, four bytes, lowest first; the JSON; the columns.
std::string packed_data(const HtmlPage& page) {
  Json data = page.data;
  data["columns"] = page.columns.index();
  std::string json = data.dump(-1, ' ', false, Json::error_handler_t::replace), bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(json.size() >> shift);
  return absl::Base64Escape(deflated(bytes + json + page.columns.bytes()));
}

std::string source_hash(const char* sha256_hex) {
  return "'sha256-" + absl::Base64Escape(absl::HexStringToBytes(sha256_hex)) + "'";
}

// xml_escape() would show line breaks as control characters.
std::string escaped_lines(const std::string& text) {
  std::string escaped;
  for (std::string_view line : split(text, '\n')) escaped += xml_escape(line) + "\n";
  return escaped;
}

}  // namespace

std::string html_page(const HtmlPage& page) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src {}; style-src {}; "
      "base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<div id=\"app\"></div>\n<pre id=\"text\">\n{}</pre>\n"
      "<script type=\"text/plain\" id=\"data\">{}</script>\n<script>{}</script>\n</body>\n</html>\n",
      source_hash(kHtmlScriptSha256), source_hash(kHtmlStyleSha256), xml_escape(page.title), kHtmlStyle,
      escaped_lines(page.text), packed_data(page), kHtmlScript);
}

}  // namespace dwell
