import { CodedError } from '../base/errors.js';
import type { Profile, ProfileNode } from '../harness/profile.js';
import { readFile } from '../host/binary-file.js';
import { OutputFile } from '../host/output-file.js';
import { Symbols } from './symbols.js';

export interface ProfileVerbOptions {
  readonly profile?: string;
  readonly symbols?: string;
}

/** What can be profiled. */
interface Profiled {
  startProfile(): Profile;
}

const readSymbols = (path: string | undefined): Symbols =>
  path === undefined ? new Symbols([]) : Symbols.parse(readFile(path), path);

/** The file of --profile, made before anything runs. */
export class ProfileFile {
  #profile: Profile | null = null;

  private constructor(
    private readonly file: OutputFile,
    private readonly symbols: Symbols,
  ) {}

  /** Null without --profile. Throws USAGE, CONFIG or HOST_IO. */
  static of({ profile, symbols }: ProfileVerbOptions): ProfileFile | null {
    const names = readSymbols(symbols);
    if (profile !== undefined) return new ProfileFile(new OutputFile(profile), names);
    if (symbols === undefined) return null;
    throw new CodedError('USAGE', '--symbols names what is in a profile', { hint: 'give --profile too' });
  }

  begin(machine: Profiled): void {
    this.#profile = machine.startProfile();
  }

  /** Writes what there is. Idempotent. */
  end(): void {
    if (this.#profile !== null) {
      const isCpuProfile = this.file.path.endsWith('.cpuprofile');
      this.file.write((isCpuProfile ? cpuProfile : collapsedStacks)(this.#profile, this.symbols));
      this.#profile = null;
    }
    this.file.close();
  }
}

const nameOf = ({ at }: ProfileNode, symbols: Symbols): string => (typeof at === 'string' ? at : symbols.nameOf(at));

/** A line per stack: frames separated by semicolons, outermost first, and ticks. */
export function collapsedStacks(profile: Profile, symbols: Symbols): string {
  const ticks = new Map<string, number>();
  const visit = (node: ProfileNode, path: readonly string[]): void => {
    if (node.ticks > 0) ticks.set(path.join(';'), (ticks.get(path.join(';')) ?? 0) + node.ticks);
    for (const child of node.called.values()) visit(child, [...path, nameOf(child, symbols)]);
  };
  visit(profile.root, []);
  return [...ticks].map(([stack, count]) => `${stack} ${count}\n`).join('');
}

/** The format of Chrome's developer tools, which Visual Studio Code and speedscope open as well; times are guest microseconds. */
export function cpuProfile(profile: Profile, symbols: Symbols): string {
  const ids = new Map<ProfileNode, number>();
  const nodes: object[] = [];
  const hits = new Map<ProfileNode, number>();
  for (const { node } of profile.samples) hits.set(node, (hits.get(node) ?? 0) + 1);
  const visit = (node: ProfileNode): number => {
    const id = ids.size + 1;
    ids.set(node, id);
    const children: number[] = [];
    const url = typeof node.at === 'string' ? '' : `0x${node.at.toString(16)}`;
    const functionName = node === profile.root ? '(root)' : nameOf(node, symbols);
    const callFrame = { functionName, scriptId: '0', url, lineNumber: -1, columnNumber: -1 };
    nodes.push({ id, callFrame, hitCount: hits.get(node) ?? 0, children });
    for (const child of node.called.values()) children.push(visit(child));
    return id;
  };
  visit(profile.root);
  const micros = (ticks: number): number => Math.round((ticks * profile.nsPerTick) / 1000);
  const startTime = micros(profile.startTick);
  const timeDeltas = profile.samples.map(({ ticks }) => micros(ticks));
  const endTime = startTime + timeDeltas.reduce((sum, delta) => sum + delta, 0);
  return JSON.stringify({
    nodes,
    startTime,
    endTime,
    samples: profile.samples.map(({ node }) => ids.get(node)),
    timeDeltas,
  });
}
