// SPDX-License-Identifier: Apache-2.0
// The data of the page: base64 of a zlib stream that holds the length of a JSON text, the text, and columns of numbers
// (ui/number_columns.h).

function bytesOfBase64(text) {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function decodeNumbers(bytes, at, count) {
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let folded = 0, scale = 1, byte;
    do {
      byte = bytes[at++];
      folded += (byte & 127) * scale;
      scale *= 128;
    } while (byte & 128);
    numbers[i] = folded % 2 ? -(folded + 1) / 2 : folded / 2;
  }
  return numbers;
}

function unpack(bytes) {
  const length = bytes[0] + bytes[1] * 256 + bytes[2] * 65536 + bytes[3] * 16777216;
  const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const columns = bytes.subarray(4 + length);
  const column = name => {
    const [at, count] = data.columns[name];
    return decodeNumbers(columns, at, count);
  };
  return { data, column };
}

// Calls as a tree in preorder: `end` is one past a node's last descendant. `leaf` gives each path's last node.
function readPaths(kept, added, frames) {
  const count = frames.length, parent = new Int32Array(count), frame = new Int32Array(count), end = new Int32Array(count).fill(count);
  const leaf = new Int32Array(kept.length), open = [];
  let node = 0;
  for (let path = 0; path < kept.length; path++) {
    while (open.length > kept[path]) end[open.pop()] = node;
    for (let i = 0; i < added[path]; i++, node++) {
      parent[node] = open.length ? open[open.length - 1] : -1;
      frame[node] = frames[node];
      open.push(node);
    }
    leaf[path] = open[open.length - 1];
  }
  return { count, parent, frame, end, leaf };
}

const INLINED = 1, UNNAMED = 2, ALLOCATOR = 4, LIBRARY = 8;

// The node some frames above a leaf: the call site, which is neither an allocator, nor a library, nor a wrapper.
function nodeAbove(tree, leaf, frames) {
  let node = leaf;
  for (let left = frames; left > 0 && tree.parent[node] >= 0; left--) node = tree.parent[node];
  return node;
}
