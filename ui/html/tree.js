// SPDX-License-Identifier: Apache-2.0
// Merged call trees, made as far as they are shown: a frame has its children looked up when it is wide enough.
//
// Frames of one function that differ by their line alone are one; so a merged frame stands for several nodes of the tree
// of paths.

// `values`: of each row; `nodes`: the node of the tree that each row's stack ends in, -1: none.
function callTree(model, rows, values, nodes) {
  const tree = model.tree, value = new Float64Array(tree.count), weight = new Float64Array(tree.count);
  const root = { name: "all", value: 0, weight: 0, self: 0, depth: 0, parent: null, frame: -1, children: null, nodes: null };
  let loose = 0, looseWeight = 0;
  for (let row = 0; row < rows.count; row++) {
    root.value += values[row];
    root.weight += Math.abs(values[row]);
    if (nodes[row] < 0) { loose += values[row]; looseWeight += Math.abs(values[row]); continue; }
    value[nodes[row]] += values[row];
    weight[nodes[row]] += Math.abs(values[row]);
  }
  for (let node = tree.count - 1; node > 0; node--) {
    if (tree.parent[node] < 0 || !weight[node]) continue;
    value[tree.parent[node]] += value[node];
    weight[tree.parent[node]] += weight[node];
  }
  function grown(parent) {
    const found = new Map();
    const visit = (from, until) => {
      for (let node = from; node < until; node = tree.end[node])
        if (weight[node]) addTo(model, found, parent, node, value[node], weight[node]);
    };
    if (parent === root) visit(0, tree.count);
    else for (const node of parent.nodes) visit(node + 1, tree.end[node]);
    return found;
  }
  root.grow = parent => {
    const children = sorted(grown(parent));
    if (parent === root && looseWeight)
      children.push({ name: "smaller call sites", value: loose, weight: looseWeight, self: loose, depth: 1, parent: root, frame: -1, children: [], nodes: [] });
    return children;
  };
  return root;
}

// The same from the asking function towards main: below each function stand its callers.
function callersTree(model, rows, values, nodes) {
  const root = { name: "all", value: 0, weight: 0, self: 0, depth: 0, parent: null, frame: -1, children: null, nodes: [], shares: [] };
  for (let row = 0; row < rows.count; row++) {
    root.value += values[row];
    root.weight += Math.abs(values[row]);
    if (!values[row]) continue;
    root.nodes.push(nodes[row]);
    root.shares.push(values[row]);
  }
  root.grow = parent => {
    const found = new Map();
    for (let i = 0; i < parent.nodes.length; i++) {
      const node = parent === root ? parent.nodes[i] : model.tree.parent[parent.nodes[i]], share = parent.shares[i];
      if (node < 0) continue;
      const child = addTo(model, found, parent, node, share, Math.abs(share));
      if (!child.shares) child.shares = [];
      child.shares.push(share);
    }
    return sorted(found);
  };
  return root;
}

function addTo(model, found, parent, node, value, weight) {
  const frame = model.tree.frame[node], group = model.frames.group[frame];
  let child = found.get(group);
  if (!child) {
    child = { name: model.texts[model.frames.function[frame]], value: 0, weight: 0, depth: parent.depth + 1, parent, frame, heaviest: 0, children: null, nodes: [] };
    found.set(group, child);
  }
  child.value += value;
  child.weight += weight;
  child.nodes.push(node);
  if (weight > child.heaviest) { child.heaviest = weight; child.frame = frame; }
  return child;
}

function sorted(found) { return Array.from(found.values()).sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1)); }

function childrenOf(root, node) {
  if (!node.children) {
    node.children = root.grow(node);
    let inside = 0;
    for (const child of node.children) inside += child.value;
    node.self = node.value - inside;
  }
  return node.children;
}

// Rows whose stack has a frame that matches: function, file or module. `test` is asked once for each frame.
function matchingRows(model, rows, test) {
  const tree = model.tree, frames = model.frames, frameHits = new Uint8Array(frames.function.length), hits = new Uint8Array(tree.count);
  const asked = new Map();
  const ask = text => {
    if (!asked.has(text)) asked.set(text, test(model.texts[text]));
    return asked.get(text);
  };
  for (let i = 0; i < frameHits.length; i++) frameHits[i] = ask(frames.function[i]) || ask(frames.file[i]) || ask(frames.module[i]) ? 1 : 0;
  for (let node = 0; node < tree.count; node++) hits[node] = frameHits[tree.frame[node]] | (tree.parent[node] < 0 ? 0 : hits[tree.parent[node]]);
  const kept = new Uint8Array(rows.count);
  for (let row = 0; row < rows.count; row++) kept[row] = rows.site[row] < 0 ? 0 : hits[model.leaf[rows.site[row]]];
  return kept;
}
