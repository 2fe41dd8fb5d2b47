// SPDX-License-Identifier: Apache-2.0
// What is shown, and the same as the fragment of the address: a link to the file shows what its sender saw.

const UNITS = ["bytes", "blocks"];
const SORTS = ["view", "retained_bytes", "retained", "growth_per_minute", "grown_bytes", "oldest", "alloc_bytes", "allocs", "freed_bytes",
               "temporary", "peak_bytes", "born_bytes"];

// What a page of one recording can show; of two: DIFFERENCE_STATE.
const RECORDING_STATE = { views: VIEWS, sorts: SORTS, view: "retained" };

function freshState(kind = RECORDING_STATE, model = null) {
  return { account: (model && model.usualAccount) || 0, view: kind.view, unit: "bytes", range: null, filter: "", callers: false, library: false, sort: "view", up: false, site: -1 };
}

function fragmentOf(state, model, kind = RECORDING_STATE) {
  const parts = [], fresh = freshState(kind, model);
  const add = (key, value) => parts.push(key + "=" + encodeURIComponent(value));
  if (state.account !== fresh.account) add("memory", state.account);
  for (const key of ["view", "unit", "filter", "sort"]) if (state[key] !== fresh[key]) add(key, state[key]);
  for (const key of ["callers", "library", "up"]) if (state[key]) add(key, 1);
  if (state.range) add("time", state.range.map(edge => secondsText(model.edges[edge], false)).join("-"));
  if (state.site >= 0) add("site", state.site);
  return parts.join("&");
}

// Whatever a fragment says, the state can be shown.
function stateOf(fragment, model, kind = RECORDING_STATE) {
  const state = freshState(kind, model), said = new Map();
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at <= 0) continue;
    try { said.set(part.slice(0, at), decodeURIComponent(part.slice(at + 1))); } catch (error) { continue; }
  }
  const whole = (key, most) => {
    const number = Number(said.get(key));
    return said.has(key) && Number.isInteger(number) && number >= 0 && number < most ? number : null;
  };
  state.account = whole("memory", model.accounts.length) ?? state.account;
  state.site = whole("site", model.count) ?? state.site;
  if (Object.hasOwn(kind.views, said.get("view") ?? "")) state.view = said.get("view");
  if (UNITS.includes(said.get("unit"))) state.unit = said.get("unit");
  if (kind.sorts.includes(said.get("sort"))) state.sort = said.get("sort");
  for (const key of ["callers", "library", "up"]) state[key] = said.get(key) === "1";
  state.filter = said.get("filter") ?? "";
  state.range = rangeOf(said.get("time"), model);
  if (state.view === "born" && !model.birthsKnown) state.view = "retained";
  return state;
}

function rangeOf(text, model) {
  const ends = /^([0-9.]+)-([0-9.]+)$/.exec(text ?? "");
  if (!ends) return null;
  return snappedRange(model, Number(ends[1]) * 1e9, Number(ends[2]) * 1e9);
}

function nearestEdge(model, ns) {
  let best = 0;
  for (let i = 1; i < model.edges.length; i++) if (Math.abs(model.edges[i] - ns) < Math.abs(model.edges[best] - ns)) best = i;
  return best;
}

// At least one bucket; null for all of them.
function snappedRange(model, fromNs, toNs) {
  if (!Number.isFinite(fromNs) || !Number.isFinite(toNs) || model.buckets < 1) return null;
  let from = nearestEdge(model, Math.min(fromNs, toNs)), to = nearestEdge(model, Math.max(fromNs, toNs));
  if (from === to) to < model.buckets ? to++ : from--;
  return from === 0 && to === model.buckets ? null : [from, to];
}
