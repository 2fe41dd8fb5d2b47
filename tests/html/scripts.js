// SPDX-License-Identifier: Apache-2.0
// What tests share: the page's own functions without a browser, and the data of a page.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const FOLDER = path.join(__dirname, "../../ui/html");

// Functions and constants of scripts that touch no document.
function load(files, names) {
  const source = files.map(file => fs.readFileSync(path.join(FOLDER, file), "utf8")).join("\n");
  return new Function(source + "; return {" + names.join(",") + "};")();
}
const PURE = load(["shorten.js", "decode.js", "words.js", "figures.js", "sums.js", "tree.js", "state.js", "difference.js", "resident.js", "waits.js", "subjects.js"],
  ["decodeNumbers", "unpack", "readPaths", "nodeAbove", "grouped", "bytesText", "countText", "durationText", "percentText", "shorten", "shellQuoted", "secondsText",
   "commandText", "siteText", "VIEWS", "FIGURES", "KINDS", "readModel", "rowsOf", "liveSeries", "timelineOf", "callTree", "callersTree", "childrenOf",
   "matchingRows", "freshState", "fragmentOf", "stateOf", "snappedRange", "accountParts", "residentLimit", "residentScale", "marksOf", "readDifference", "differenceRows", "hasChanged", "accountChanges", "lockRows", "sizesOf", "accountTitleOf", "sitesOfRow", "growthOfRow", "differenceCommand", "DIFFERENCE_STATE", "readable"]);

function partsOf(file) {
  const html = fs.readFileSync(file, "utf8"), one = expression => (expression.exec(html) || [])[1];
  return { html, policy: one(/Content-Security-Policy" content="([^"]*)"/), style: one(/<style>([\s\S]*?)<\/style>/),
           script: one(/<script>([\s\S]*?)<\/script>/), packed: one(/id="data">([^<]*)</), text: one(/<pre id="text">\n([\s\S]*?)<\/pre>/) };
}
function unpacked(file) { return PURE.unpack(new Uint8Array(zlib.inflateSync(Buffer.from(partsOf(file).packed, "base64")))); }
function modelOf(file) {
  const { data, column } = unpacked(file);
  return { data, model: PURE.readModel(data.memory, column) };
}

function differenceOf(file) {
  const { data, column } = unpacked(file);
  return { data, model: PURE.readDifference(data, column) };
}

module.exports = Object.assign({ FOLDER, partsOf, unpacked, modelOf, differenceOf }, PURE);
