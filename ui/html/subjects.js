// SPDX-License-Identifier: Apache-2.0
// Threads, goroutines, clocks: what the recording has besides memory, from each subject's JSON (docs/report-json.md). Their
// verdicts are cards; every list of objects is a table that can be sorted and filtered.

const FEW_ROWS = 40;
const TITLES = {
  files: "Descriptors", descriptors: "By the call site that opened them", threads: "Threads", go: "Goroutines and the Go heap", clocks: "Clocks", memory: "Memory", look: "Last look", thread_sites: "Who creates threads",
  blocked: "Where threads were blocked", looks: "Looks", locks: "Locks", groups: "By stack", go_heap: "Go heap, by samples",
  go_blocked: "Where goroutines were parked", contexts: "Contexts", sites: "By call site", creators: "Goroutines by creator", reads: "Clock reads",
  waits: "Waits", intervals: "Intervals", steps: "Steps of the clock", heap: "Heap", contention: "Contention",
  generations: "Generations: what was allocated between marks, and is still there",
};
// Not as a list of objects, but as it reads best.
const DRAWN = { descriptor_counts: descriptorCounts };
const LEFT_OUT = new Set(["format", "version", "recording", "process", "processes", "verdicts", "notes", "time_ns", "offset"]);

function titleOf(key) { return TITLES[key] || (key.charAt(0).toUpperCase() + key.slice(1)).replace(/_/g, " "); }
function isFrames(value) { return Array.isArray(value) && value.length > 0 && value[0] !== null && typeof value[0] === "object" && "function" in value[0]; }
function isRows(value) { return Array.isArray(value) && value.length > 0 && value.every(item => item !== null && typeof item === "object" && !Array.isArray(item)) && !isFrames(value); }
function isPlain(value) { return value !== null && typeof value === "object" && !Array.isArray(value); }

// As the text reports have it: "Deadlock (certain): 2 threads wait for each other".
function verdictTitle(one) {
  const certainty = one.certainty ? " (" + one.certainty + ")" : "";
  if (!one.headline) return (one.text || one.kind) + certainty;
  return one.kind.charAt(0).toUpperCase() + one.kind.slice(1) + certainty + ": " + one.headline;
}

// Every verdict of every subject, in one form.
function verdictsOf(subjects) {
  const found = [];
  const visit = (subject, value, depth) => {
    if (!isPlain(value) || depth > 3) return;
    for (const one of Array.isArray(value.verdicts) ? value.verdicts : []) {
      const evidence = [].concat(one.evidence || [], one.advice || []);
      found.push({ subject, title: verdictTitle(one), evidence, grave: one.stuck_for_good === true, stack: one.stack });
    }
    for (const key in value) if (isPlain(value[key])) visit(subject, value[key], depth + 1);
  };
  for (const name in subjects) visit(name, subjects[name], 0);
  return found;
}
function subjectVerdicts(subjects) {
  return verdictsOf(subjects).concat(((subjects.go || {}).go || []).filter(go => go.stuck && go.stuck.goroutines).map(go => ({
    subject: "go", title: go.stuck.goroutines + " goroutine" + (go.stuck.goroutines > 1 ? "s" : "") + " can never wake" + (go.stuck.proved ? " (certain)" : " (likely)"), evidence: [go.stuck.reservation].filter(text => text), grave: true })));
}

// What has a moment: looks, steps of the clock, losses.
function marksOf(data) {
  const marks = [], subjects = data.subjects;
  const add = (kind, ns, color, dash, text) => { if (Number.isFinite(ns) && ns >= 0 && ns <= data.report.recording.duration_ns) marks.push({ kind, ns, color, dash, text: kind + " at " + durationText(ns) + (text ? ": " + text : "") }); };
  for (const loss of data.report.losses) add("losses", loss.last_ns, "loss", [], loss.count + " " + loss.name);
  ((subjects.memory || {}).generations || []).forEach((one, i) => { if (i > 0) add("mark", one.from_ns, "mark", [], "generation " + i + " begins"); });
  for (const look of (subjects.threads || {}).looks || []) add("look at threads", look.time_ns, "look", [2, 3], look.threads + " threads" + (look.stuck ? ", " + look.stuck + " stuck" : ""));
  for (const step of ((subjects.clocks || {}).look || {}).steps || []) add("clock " + step.kind, step.time_ns, "step", [6, 3], step.what);
  for (const go of (subjects.go || {}).go || []) {
    let cycles = null;
    for (const look of go.snapshots || []) {
      const ran = cycles === null ? 0 : look.collector_cycles - cycles;
      if (ran > 0) add("collector cycles", look.time_ns, "collector", [1, 4], grouped(ran) + " since the snapshot before, " + grouped(look.goroutines) + " goroutines");
      cycles = look.collector_cycles;
    }
  }
  return marks;
}

function readable(key, value) {
  if (value === null || value === undefined) return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (/unix_ns/.test(key)) return new Date(value / 1e6).toISOString().slice(0, 19).replace("T", " ") + " UTC";
  if (/(^|[ _])ns( |$)/.test(key)) return durationText(value);
  if (/bytes/.test(key)) return bytesText(value);
  if (/address/.test(key)) return "0x" + value.toString(16);
  return Number.isInteger(value) ? (/tid|pid|owner|line|\bid\b/.test(key) ? String(value) : grouped(value)) : String(Math.round(value * 100) / 100);
}

// An object's values in one row: those of objects within it too, lists of texts joined, lists of numbers counted.
function flattened(object, prefix, into) {
  for (const key in object) {
    const value = object[key], name = prefix + key;
    if (prefix === "" && key !== "time_ns" && LEFT_OUT.has(key)) continue;
    if (isFrames(value)) into.set(name, { frames: value });
    else if (isPlain(value) && "function" in value) into.set(name, { frames: [value] });
    else if (isPlain(value) && isFrames(value.frames)) into.set(name, { frames: value.frames, incomplete: value.incomplete });
    else if (isPlain(value)) flattened(value, name + " ", into);
    else if (isRows(value)) into.set(name, { rows: value });
    else if (Array.isArray(value)) { if (value.length && typeof value[0] !== "object") into.set(name, typeof value[0] === "string" ? value.join(", ") : value.length); }
    else into.set(name, value);
  }
  return into;
}

function framesElement({ frames, incomplete }) {
  const line = frame => [el("span", { class: "function" }, frame.function), " ", el("span", { class: "dim" }, (frame.file ? frame.file + (frame.line ? ":" + frame.line : "") : frame.module || "") + (frame.inlined ? " (inlined)" : ""))];
  return el("details", null, el("summary", null, shorten(frames.slice(0, 3).map(frame => frame.function).join(" ← "), 48)), el("ol", { class: "stack" }, frames.map(frame => el("li", { class: frame.inlined ? "inlined" : "" }, line(frame))), incomplete ? el("li", { class: "warning" }, "[incomplete: " + incomplete + "]") : null));
}

function columnTitle(key) { return key === "ns" ? "time" : key === "look_ns" ? "look took" : key.replace(/_ns\b/g, "").replace(/_/g, " "); }

class RecordTable {
  constructor(title, objects, id) {
    this.rows = objects.map(object => flattened(object, "", new Map()));
    this.keys = Array.from(new Set(this.rows.flatMap(row => Array.from(row.keys())))).filter(key => this.rows.some(row => row.get(key) !== null && row.get(key) !== undefined && row.get(key) !== false && row.get(key) !== 0 && row.get(key) !== ""));
    this.keys.sort((a, b) => (this.isStack(a) ? 1 : 0) - (this.isStack(b) ? 1 : 0));
    this.sort = null;
    this.most = FEW_ROWS;
    this.filter = el("input", { type: "search", placeholder: "filter", "aria-label": "Filter " + title, oninput: () => this.draw() });
    this.about = el("span", { class: "dim" });
    this.table = el("table", { class: "records" });
    this.element = el("div", { class: "record-table", id }, el("div", { class: "row" }, el("h3", null, title), this.filter, this.about), el("div", { class: "wide" }, this.table));
    this.draw();
  }
  isStack(key) { return this.rows.some(row => row.get(key) && (row.get(key).frames || row.get(key).rows)); }
  textOf(key, value) {
    if (value && value.rows) return value.rows.map(row => Array.from(flattened(row, "", new Map())).map(([name, one]) => this.textOf(name, one)).join(" ")).join(" ");
    return value && value.frames ? value.frames.map(frame => frame.function + " " + (frame.file || "")).join(" ") : readable(key, value);
  }
  cellOf(key, value) {
    if (value && value.frames) return framesElement(value);
    if (value && value.rows) return el("details", null, el("summary", null, grouped(value.rows.length)), value.rows.map(row => el("div", null, Array.from(flattened(row, "", new Map())).filter(([, one]) => one !== null && one !== false).map(([name, one]) => [el("span", { class: "dim" }, columnTitle(name) + " "), this.cellOf(name, one), " "]))));
    return readable(key, value);
  }

  draw() {
    const wanted = this.filter.value.toLowerCase(), found = this.rows.filter(row => !wanted || this.keys.some(key => this.textOf(key, row.get(key)).toLowerCase().includes(wanted)));
    if (this.sort) {
      const order = value => typeof value === "number" ? value : -Infinity, key = this.sort.key, up = this.sort.up ? 1 : -1;
      found.sort((a, b) => up * (typeof a.get(key) === "number" || typeof b.get(key) === "number" ? order(a.get(key)) - order(b.get(key)) : this.textOf(key, a.get(key)) < this.textOf(key, b.get(key)) ? -1 : 1) || 0);
    }
    this.about.textContent = wanted ? grouped(found.length) + " of " + grouped(this.rows.length) : grouped(this.rows.length);
    const head = key => el("th", { scope: "col" }, el("button", { type: "button", onclick: () => { this.sort = { key, up: this.sort !== null && this.sort.key === key && !this.sort.up }; this.draw(); } }, columnTitle(key) + (this.sort && this.sort.key === key ? (this.sort.up ? " ↑" : " ↓") : "")));
    const cell = (key, value) => el("td", { class: typeof value === "number" ? "number" : "" }, this.cellOf(key, value));
    fill(this.table, el("thead", null, el("tr", null, this.keys.map(head))), el("tbody", null, found.slice(0, this.most).map(row => el("tr", null, this.keys.map(key => cell(key, row.get(key)))))));
    if (found.length > this.most) this.table.append(el("caption", null, el("button", { type: "button", onclick: () => { this.most *= 10; this.draw(); } }, grouped(found.length - this.most) + " more")));
  }
}

// Groups of threads say what their first thread waits for.
function withThreads(look) {
  if (!Array.isArray(look.groups) || !Array.isArray(look.threads)) return look;
  const groups = look.groups.map(group => {
    const members = group.threads.map(index => look.threads[index]), longest = Math.max(...members.map(thread => thread.waiting_ns || 0));
    return { threads: members.length, names: Array.from(new Set(members.map(thread => thread.name))).slice(0, 4).join(", "), state: members[0].state, waits_for: members[0].waits_for, longest_ns: longest, stack: group.stack, kernel_stack: group.kernel_stack };
  });
  const threads = look.threads.map(thread => Object.assign({}, thread, {
    held_by: thread.lock === null ? null : (look.locks || [])[thread.lock].owner_words, group: undefined, lock: undefined, system_call: undefined }));
  return Object.assign({}, look, { groups, threads });
}

function objectElements(object, id) {
  const parts = [], plain = [];
  for (const note of Array.isArray(object.notes) ? object.notes : []) parts.push(el("p", { class: "note" }, note));
  for (const key in object) {
    const value = object[key];
    if (LEFT_OUT.has(key)) continue;
    if (isRows(value)) parts.push(new RecordTable(titleOf(key), value, id + "-" + key).element);
    else if (isPlain(value)) parts.push(el("details", null, el("summary", null, titleOf(key)), objectElements(value, id + "-" + key)));
    else if (!Array.isArray(value) && value !== null) plain.push(el("div", null, el("dt", null, columnTitle(key)), el("dd", null, readable(key, value))));
  }
  if (plain.length) parts.unshift(el("dl", null, plain));
  return parts;
}

// How many descriptors each process had open over time, and of which kinds.
function descriptorCounts(all, processes) {
  return all.map(({ process, samples, kinds, growth }) => {
    const first = samples[0][1], last = samples[samples.length - 1][1], most = samples.reduce((highest, sample) => Math.max(highest, sample[1]), 0);
    const rows = Object.keys(kinds).map(kind => ({ kind, at: kinds[kind] })).sort((one, other) => other.at[1] - one.at[1] || other.at[0] - one.at[0]);
    const cell = text => el("td", null, text);
    const said = (processes.length > 1 && processes[process] ? processText(processes[process]) + ": " : "") + grouped(last) + " open at the end, " + grouped(first) + " at the start, " + grouped(most) + " at most.";
    return el(growth ? "div" : "details", { class: growth ? "card warning descriptor-count" : "card descriptor-count" },
      growth ? [el("p", { class: "verdict" }, growth), el("p", null, said)] : el("summary", null, said),
      samples.length > 1 ? el("figure", null, sparkline(samples.map(sample => sample[1]), 480, 60), el("figcaption", { class: "dim" }, "open descriptors over time")) : null,
      rows.length ? el("div", { class: "wide" }, el("table", { class: "figures" }, el("thead", null, el("tr", null, ["kind", "change", "at the start", "at the end"].map(name => el("th", { scope: "col" }, name)))),
        el("tbody", null, rows.map(row => el("tr", null, el("th", { scope: "row" }, row.kind), cell(countText(row.at[1] - row.at[0], true)), cell(grouped(row.at[0])), cell(grouped(row.at[1]))))))) : null);
  });
}

function subjectSections(subjects, processes) {
  return Object.keys(subjects).map(name => {
    const object = subjects[name], look = object.look ? withThreads(object.look) : null, verdicts = subjectVerdicts({ [name]: object }).filter(verdict => !verdict.grave);  // those are in the summary
    const rest = Object.assign({}, object);
    delete rest.look;
    return el("section", { id: name, "aria-label": titleOf(name) }, el("h2", null, titleOf(name)),
      verdicts.map(verdict => el("div", { class: verdict.grave ? "card grave" : "card" }, el("p", { class: "verdict" }, verdict.title), paragraphs("dim", verdict.evidence), isFrames(verdict.stack) ? framesElement({ frames: verdict.stack }) : null)),
      look && object.look.locks ? waitGraph(object.look) : null,
      look ? [Object.keys(rest).length ? el("h3", null, "Last look") : null, objectElements(look, name)] : null,
      Object.keys(rest).map(key => key in DRAWN ? DRAWN[key](rest[key], processes) : null),
      Object.keys(rest).map(key => key in DRAWN || isRows(rest[key]) || !isPlain(rest[key]) ? null : el("div", null, el("h3", null, titleOf(key)), objectElements(rest[key], name + "-" + key))),
      Object.keys(rest).map(key => key in DRAWN || !isRows(rest[key]) ? null : key === "go" ? rest[key].map((one, i) => objectElements(one, name + "-" + i)) : new RecordTable(titleOf(key), rest[key], name + "-" + key).element));
  });
}
