// SPDX-License-Identifier: Apache-2.0
// How quantities, call sites and commands read; in the words of the text report.

function grouped(number) { return String(Math.round(number)).replace(/\B(?=(\d{3})+(?!\d))/g, ","); }

function bytesText(bytes, withSign) {
  const sign = bytes < 0 ? "-" : withSign && bytes > 0 ? "+" : "";
  let size = Math.abs(bytes), unit = 0;
  while (size >= 1023.95 && unit < 5) { size /= 1024; unit++; }
  return sign + (unit ? size.toFixed(1) : Math.round(size)) + " " + ["B", "KB", "MB", "GB", "TB", "PB"][unit];
}

function countText(count, withSign) { return (withSign && count > 0 ? "+" : "") + grouped(count); }

function durationText(ns) {
  if (ns === 0) return "0 s";
  if (ns < 1e3) return Math.round(ns) + " ns";
  if (ns < 1e6) return (ns / 1e3).toFixed(1) + " us";
  if (ns < 1e9) return (ns / 1e6).toFixed(1) + " ms";
  const seconds = ns / 1e9;
  if (seconds < 59.95) return seconds.toFixed(1) + " s";
  const whole = Math.round(seconds);
  if (whole < 3600) return Math.floor(whole / 60) + " min " + whole % 60 + " s";
  if (whole < 86400) return Math.floor(whole / 3600) + " h " + Math.floor(whole % 3600 / 60) + " min";
  return Math.floor(whole / 86400) + " d " + Math.floor(whole % 86400 / 3600) + " h";
}

function percentText(part, whole) {
  if (!whole) return "-";
  const share = 100 * part / whole;
  return share.toFixed(Math.abs(share) < 9.95 && share !== 0 ? 2 : 1) + " %";
}

function valueText(value, unit, withSign) { return unit === "bytes" ? bytesText(value, withSign) : countText(value, withSign); }

function baseName(path) { return path.slice(path.lastIndexOf("/") + 1); }

function frameText(model, frame) { return model.texts[model.frames.short[frame]]; }

function whereText(model, frame, whole) {
  const frames = model.frames, file = model.texts[frames.file[frame]], module = model.texts[frames.module[frame]];
  if (!file) return whole ? module : baseName(module);
  return (whole ? file : baseName(file)) + (frames.line[frame] ? ":" + frames.line[frame] : "");
}

// "Cache::insert (cache.h:41) ← Server::handle ← main"
function siteText(model, node, names) {
  const tree = model.tree, first = tree.frame[node];
  const file = model.texts[model.frames.file[first]], line = model.frames.line[first];
  let text = frameText(model, first) + (file && line ? " (" + baseName(file) + ":" + line + ")" : "");
  for (let at = tree.parent[node], left = names - 1; at >= 0 && left > 0; at = tree.parent[at], left--)
    text += " ← " + frameText(model, tree.frame[at]);
  return text;
}

function shellQuoted(text) { return /^[A-Za-z0-9_.\/:=@%+,-]+$/.test(text) ? text : "'" + text.replace(/'/g, "'\\''") + "'"; }

// Ranges of the command line begin and end at the nearest ticks inside: a little is added at both ends.
function secondsText(ns, up) { return ((up ? Math.ceil(ns / 1e3) : Math.floor(ns / 1e3)) / 1e6).toString(); }

const SORT_KEYS = {
  retained: ["retained", "blocks"], growing: ["growth", "growth"], allocated: ["allocated", "allocations"],
  freed: ["allocated", "allocations"], born: ["retained", "blocks"], temporary: ["temporary", "temporary"], peak: ["peak", "peak"],
};

// Survivors and what was freed have no order of their own in the report.
function commandIsNearest(state) { return state.view === "born" || state.view === "freed"; }

// `pid`: of one process of several; else null.
function commandText(file, kind, state, edges, pid = null) {
  const words = ["dwell", "report", file, "--kind", kind, "--sort", SORT_KEYS[state.view][state.unit === "bytes" ? 0 : 1]];
  if (pid !== null) words.push("--process", String(pid));
  if (state.range) words.push("--from", secondsText(edges[state.range[0]], false), "--to", secondsText(edges[state.range[1]], true));
  if (state.filter) words.push("--site", state.filter);
  return words.map(shellQuoted).join(" ");
}
