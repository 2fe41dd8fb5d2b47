// SPDX-License-Identifier: Apache-2.0
// HtmlPage: a report to explore in a browser, as one file that loads nothing.
//
// The file is the report as plain text, for browsers that run no scripts and for whoever opens it in an editor; the data,
// compressed; and the script and style of ui/html/. A content security policy names the script and the style by their
// hashes and forbids everything else, so that nothing in the data can run, and nothing can be fetched or sent.
#pragma once

#include <string>

#include "ui/json_parts.h"
#include "ui/number_columns.h"

namespace dwell {

struct HtmlPage {
  std::string title;
  std::string text;       // the report as text
  Json data;              // what the script reads; its texts are printable() already
  NumberColumns columns;  // the long lists of it
};

// Deterministic. docs/exports.md says how the data lies in the file.
std::string html_page(const HtmlPage& page);

}  // namespace dwell
