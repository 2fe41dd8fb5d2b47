// SPDX-License-Identifier: Apache-2.0
// For the flame graph and for the HTML page.

// "std::map<a, b>::find(int) const" -> "std::map<…>::find(…) const" while it is too long for its room.
function shorten(name, room) {
  if (name.length <= room) return name;
  let short = name;
  for (const [open, close] of ["<>", "()"]) {
    if (short.length <= room) break;
    let depth = 0, result = "";
    for (let i = 0; i < short.length; i++) {
      const c = short[i], arrow = c === ">" && short[i - 1] === "-", operator = /operator[<>]?$/.test(short.slice(0, i));
      if (c === open && !operator && depth++ === 0) result += open + "…";
      if (c === close && !arrow && !operator && depth > 0 && --depth === 0) { result += close; continue; }
      if (depth === 0) result += c;
    }
    if (depth === 0) short = result;
  }
  return short.length <= room ? short : room < 3 ? "" : short.slice(0, room - 1) + "…";
}
