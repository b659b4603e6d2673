import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  CodedError,
  Policy,
  Recording,
  type Machine,
  type MachineEvents,
  type MachineOptions,
} from '../../src/index.js';
import { BUILT_IN_RULES } from '../../src/policy/decision.js';
import { POLICY_SCHEMA } from '../../src/policy/policy-schema.js';
import { POLICY_TEMPLATE_NAMES, templateText } from '../../src/policy/templates.js';
import { documents, type JsonSchema } from '../policy/schema-arbitrary.js';
import { boot, image } from './guest.js';

/** Calls of each guest; a million for a release: `PORT_FUZZ_CALLS=1000000 npx vitest run test/guests/port-fuzz.test.ts`. */
const CALLS = Number(process.env.PORT_FUZZ_CALLS ?? 800);
/** Policies made from the schema, and what a guest calls under each. */
const POLICIES = Math.max(8, CALLS / 10_000);
const CALLS_PER_POLICY = Math.max(200, CALLS / 500);
const TIMEOUT_MS = 120_000 + 2 * CALLS;
const SEED = 0x2545_f491;

const IMAGES = ['port-fuzz.img', 'port-fuzz-ring3.img'] as const;

const root = mkdtempSync(join(tmpdir(), 'port-fuzz-'));
afterAll(() => rmSync(root, { recursive: true }));

function fuzzer(name: string, calls: number, seed = SEED): Uint8Array {
  const bytes = image(name, calls);
  new DataView(bytes.buffer).setUint32(12, seed, true);
  return bytes;
}

interface Run {
  readonly machine: Machine;
  readonly files: readonly string[];
  readonly denied: number;
}

/** Runs the guest to its end. Whatever it is refused names a rule of the policy in force. */
async function run(bytes: Uint8Array, policy: Policy, calls: number, options: MachineOptions): Promise<Run> {
  const machine = await boot(bytes, { policy, ...options });
  const rules = new Set<string>([...policy.rules.map(({ id }) => id), ...Object.values(BUILT_IN_RULES)]);
  const files: string[] = [];
  let denied = 0;
  const unnamed: MachineEvents['denied'][] = [];
  machine.on('recording', ({ state, file }) => {
    if (state === 'stopped') files.push(file);
  });
  machine.on('denied', (event) => {
    denied++;
    if (!rules.has(event.rule) || event.reason === '') unnamed.push(event);
  });
  machine.offer(
    1,
    Uint8Array.from({ length: 100_000 }, (_, at) => at),
  );
  await machine.startRecording({ name: 'fuzz' }).catch((error: unknown) => {
    // A policy may refuse the user, too.
    expect(error).toMatchObject({ code: 'DENIED' });
  });
  expect(await machine.run()).toEqual({ kind: 'powered-off' });
  await machine.close();
  expect(machine.serialText).toMatch(new RegExp(`done, ${calls} calls, checksum [0-9a-f]{8}\r\n$`));
  expect(machine.serialText).not.toContain('flags changed');
  expect(unnamed).toEqual([]);
  return { machine, files, denied };
}

async function verify(file: string): Promise<void> {
  const recording = await Recording.open(file);
  expect(await recording.verify(), file).toMatchObject({ ok: true });
  await recording.close();
}

describe.each(IMAGES)('%s: random registers', (name) => {
  it.each(POLICY_TEMPLATE_NAMES)(
    'do no harm under the %s policy, and replay the same',
    async (template) => {
      const outDir = mkdtempSync(join(root, 'template-'));
      const policy = Policy.parse(templateText(template));
      const { machine, files, denied } = await run(fuzzer(name, CALLS), policy, CALLS, { outDir });
      if (template === 'locked-down') expect(denied > 0).toBe(name === 'port-fuzz.img');
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(dirname(file)).toBe(outDir);
      expect(readdirSync(outDir).filter((file) => !/^[\w.-]+\.(reel|jsonl)$/.test(file))).toEqual([]);
      for (const file of files) await verify(file);
      const recording = await Recording.open(join(outDir, 'fuzz.reel'));
      const replay = await recording.replay();
      expect(await replay.run()).toEqual({ kind: 'end', reason: 'powered-off' });
      expect(replay.serialText).toBe(machine.serialText);
      await recording.close();
    },
    TIMEOUT_MS,
  );

  it(
    'do no harm under policies made from the schema, and replay the same',
    async () => {
      const texts = fc.sample(documents(POLICY_SCHEMA as unknown as JsonSchema), { numRuns: 20 * POLICIES, seed: 1 });
      const policies = texts.flatMap((document) => {
        try {
          return [Policy.parse(JSON.stringify(document))];
        } catch (error) {
          // What no schema can say: an id used twice, a token that is not declared.
          expect(error).toBeInstanceOf(CodedError);
          return [];
        }
      });
      expect(policies.length).toBeGreaterThan(POLICIES / 4);
      for (const [index, policy] of policies.slice(0, POLICIES).entries()) {
        const outDir = mkdtempSync(join(root, 'schema-'));
        const bytes = fuzzer(name, CALLS_PER_POLICY, SEED + index);
        const audit = join(outDir, 'audit.jsonl');
        const { files } = await run(bytes, policy, CALLS_PER_POLICY, { outDir, audit });
        for (const file of files) await verify(file);
        rmSync(outDir, { recursive: true });
      }
    },
    TIMEOUT_MS,
  );
});
