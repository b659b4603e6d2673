/** A directed graph whose nodes are numbers. */
export interface FlowGraph {
  /** Nodes where it may be entered. */
  readonly entries: readonly number[];
  /** By node. */
  readonly successors: readonly (readonly number[])[];
}

/**
 * A graph arranged for structured code (Ramsey, "Beyond Relooper", 2022): nodes in reverse postorder, the dominator
 * tree, and how each edge is taken. Edges that enter a loop elsewhere than at its head go through a dispatcher, which is
 * then the virtual root and has an edge to each of its targets.
 */
export interface Structure {
  /** Nodes reached through the dispatcher, the graph's own entries first; one when there is no dispatcher. */
  readonly entries: readonly number[];
  /** Position in reverse postorder, by node; -1 when unreachable. */
  readonly order: readonly number[];
  /** Nodes that a node dominates immediately, in reverse postorder; those of the virtual root are `entries` and more. */
  readonly children: readonly (readonly number[])[];
  readonly rootChildren: readonly number[];
  /** More than one forward edge leads here. */
  readonly isMerge: readonly boolean[];
  readonly isLoopHeader: readonly boolean[];
  edge(from: number, to: number): 'forward' | 'back' | 'dispatch';
}

const VIRTUAL = -1;

interface Dominators {
  readonly order: number[];
  readonly sequence: number[];
  /** Immediate dominator by node; VIRTUAL for children of the virtual root. */
  readonly idom: number[];
}

/** Orders the nodes from `entries` and finds dominators (Cooper, Harvey, Kennedy). */
function dominators(graph: FlowGraph, entries: readonly number[]): Dominators {
  const count = graph.successors.length;
  const order = new Array<number>(count).fill(-1);
  const postorder: number[] = [];
  const state = new Uint8Array(count);
  for (const entry of [...entries].reverse()) visit(entry);
  function visit(start: number): void {
    if (state[start] !== 0) return;
    const stack: [number, number][] = [[start, 0]];
    state[start] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const next = graph.successors[top[0]][top[1]++];
      if (next === undefined) {
        postorder.push(top[0]);
        stack.pop();
      } else if (state[next] === 0) {
        state[next] = 1;
        stack.push([next, 0]);
      }
    }
  }
  const sequence = postorder.reverse();
  sequence.forEach((node, i) => (order[node] = i));
  const predecessors: number[][] = Array.from({ length: count }, () => []);
  for (const node of sequence) for (const s of graph.successors[node]) predecessors[s].push(node);
  const isEntry = new Set(entries);
  const UNKNOWN = -2;
  const idom = new Array<number>(count).fill(UNKNOWN);
  const intersect = (a: number, b: number): number => {
    while (a !== b) {
      if (a === VIRTUAL || b === VIRTUAL) return VIRTUAL;
      if (order[a] > order[b]) a = idom[a];
      else b = idom[b];
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const node of sequence) {
      let dominator = isEntry.has(node) ? VIRTUAL : UNKNOWN;
      for (const p of predecessors[node]) {
        if (idom[p] === UNKNOWN) continue;
        dominator = dominator === UNKNOWN ? p : intersect(dominator, p);
      }
      if (idom[node] !== dominator) {
        idom[node] = dominator;
        changed = true;
      }
    }
  }
  return { order, sequence, idom };
}

function dominates(d: Dominators, a: number, b: number): boolean {
  while (b !== VIRTUAL && d.order[b] > d.order[a]) b = d.idom[b];
  return a === b;
}

export function structure(graph: FlowGraph): Structure {
  const entries = [...graph.entries];
  for (;;) {
    const d = dominators(graph, entries);
    const more = irreducibleTargets(graph, d).filter((node) => !entries.includes(node));
    if (more.length === 0) return arrange(graph, d, entries);
    // One at a time: it may make others reducible.
    entries.push(more[0]);
  }
}

function irreducibleTargets(graph: FlowGraph, d: Dominators): number[] {
  const targets: number[] = [];
  for (const from of d.sequence) {
    for (const to of graph.successors[from]) {
      if (d.order[to] <= d.order[from] && !dominates(d, to, from)) targets.push(to);
    }
  }
  return targets;
}

function arrange(graph: FlowGraph, d: Dominators, entries: readonly number[]): Structure {
  const count = graph.successors.length;
  const edge = (from: number, to: number): 'forward' | 'back' | 'dispatch' => {
    if (d.order[to] > d.order[from]) return 'forward';
    return dominates(d, to, from) ? 'back' : 'dispatch';
  };
  const forward = new Array<number>(count).fill(0);
  const isLoopHeader = new Array<boolean>(count).fill(false);
  for (const from of d.sequence) {
    for (const to of graph.successors[from]) {
      const kind = edge(from, to);
      if (kind === 'forward') forward[to]++;
      else if (kind === 'back') isLoopHeader[to] = true;
    }
  }
  if (entries.length > 1) for (const entry of entries) forward[entry] += 2;
  const children: number[][] = Array.from({ length: count }, () => []);
  const rootChildren: number[] = [];
  for (const node of d.sequence) (d.idom[node] === VIRTUAL ? rootChildren : children[d.idom[node]]).push(node);
  return {
    entries,
    order: d.order,
    children,
    rootChildren,
    isMerge: forward.map((n) => n > 1),
    isLoopHeader,
    edge,
  };
}
