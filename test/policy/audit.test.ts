import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/base/errors.js';
import { AuditFile } from '../../src/host/audit-file.js';
import { AUDIT_GENESIS, AuditLog, usedBy, verifyAudit, type AuditEntry } from '../../src/policy/audit.js';
import { PolicyCounters } from '../../src/policy/counters.js';
import { defaultPolicy } from '../../src/policy/default-policy.js';
import { Gatekeeper } from '../../src/policy/gatekeeper.js';
import { PolicyHolder } from '../../src/policy/policy-holder.js';
import { CODE, hashing, request, TOKEN } from './samples.js';

interface Bench {
  readonly lines: string[];
  readonly entries: AuditEntry[];
  readonly audit: AuditLog;
  readonly holder: PolicyHolder;
  readonly gatekeeper: Gatekeeper;
}

function bench(run = 'run-1', prev?: string, lines: string[] = []): Bench {
  const entries: AuditEntry[] = [];
  const sink = (line: string, entry: AuditEntry): void => {
    lines.push(line);
    entries.push(entry);
  };
  const audit = new AuditLog({ run, hashing, sink, prev });
  const holder = new PolicyHolder(defaultPolicy());
  const gatekeeper = new Gatekeeper({ holder, audit, hashing, wallTime: () => '2024-01-01T00:00:00.000Z' });
  return { lines, entries, audit, holder, gatekeeper };
}

/** Five decisions, allowed and not. */
function sample(): Bench {
  const made = bench();
  made.gatekeeper.ask(request('guest:ring0', 'start', { name: 'boot', tick: 1 }));
  made.gatekeeper.ask(
    request(`guest:ring3,code=${CODE},token=${TOKEN},cr3=0x1000,eip=0x8000`, 'put', { tick: 2, bytes: 9 }),
  );
  made.gatekeeper.ask(request('guest:ring3', 'mark', { name: '"\n\u202e é \ud800', tick: 3 }));
  made.gatekeeper.ask(request('host:user', 'stop', { name: 'boot', tick: 4 }));
  made.gatekeeper.ask(request('host:ids', 'export', { tick: 5 }));
  return made;
}

describe('the audit log', () => {
  it('has one entry for every decision, with all that was observed', () => {
    const { entries, gatekeeper } = sample();
    expect(entries.map(({ id, allow, status, ruleId }) => [id, allow, status, ruleId])).toEqual([
      [1, true, 'OK', 'guest-records'],
      [2, false, 'DENIED', 'default'],
      [3, false, 'DENIED', 'default'],
      [4, true, 'OK', 'host-always-stops'],
      [5, false, 'DENIED', 'default'],
    ]);
    expect(entries[1]).toMatchObject({
      run: 'run-1',
      tick: 2,
      wallTime: '2024-01-01T00:00:00.000Z',
      principal: 'guest:ring3',
      observed: { ring: 3, cr3: 0x1000, eip: 0x8000, codeSha256: CODE, tokenSha256: TOKEN },
      action: 'put',
      policyDigest: gatekeeper.policyDigest,
    });
    expect(entries[3]).not.toHaveProperty('observed');
  });

  it('is JSON Lines: whatever a name holds, an entry is one line that reads back', () => {
    const { lines, entries } = sample();
    expect(lines.every((line) => !/[\r\n]/.test(line))).toBe(true);
    expect(lines.map((line) => JSON.parse(line) as AuditEntry)).toEqual(entries);
  });

  it('chains its entries from the beginning', () => {
    const { entries, lines, audit } = sample();
    expect(entries.map((entry) => entry.prev)).toEqual([
      AUDIT_GENESIS,
      ...entries.slice(0, -1).map((entry) => entry.hash),
    ]);
    const lastHash = audit.lastHash;
    expect(lastHash).toBe(entries.at(-1)!.hash);
    expect(verifyAudit(lines, hashing)).toEqual({ ok: true, entries: 5, runs: 1, lastHash });
  });

  it('cuts very long names', () => {
    const { entries, gatekeeper } = bench();
    gatekeeper.ask(request('guest:ring0', 'start', { name: 'x'.repeat(4096) }));
    expect(entries[0]!.name).toBe(`${'x'.repeat(256)}...`);
  });

  it('changes the digest with the policy', () => {
    const { holder, gatekeeper, entries } = bench();
    gatekeeper.ask(request('host:user', 'status'));
    holder.replace('{"version": 1, "rules": []}', 'new');
    gatekeeper.ask(request('host:user', 'status'));
    expect(entries.map(({ allow }) => allow)).toEqual([true, false]);
    expect(entries[0]!.policyDigest).not.toBe(entries[1]!.policyDigest);
  });

  it('stands for a flood of refusals with few entries that add up, and leaves out nothing that was granted', () => {
    const { lines, entries, gatekeeper } = bench();
    for (let n = 0; n < 49_500; n++) {
      gatekeeper.ask(request('guest:ring3', 'exit', { tick: n }));
      if (n % 10_000 === 0) gatekeeper.ask(request('host:user', 'mark', { tick: n, name: 'm' }));
    }
    expect(entries.length).toBeLessThan(10_100);
    expect(entries.filter((entry) => entry.action === 'mark')).toHaveLength(5);
    const refused = entries.filter((entry) => entry.action === 'exit').length;
    const omitted = entries.reduce((sum, entry) => sum + (entry.omitted ?? 0), 0);
    expect(49_500 - refused - omitted).toBeLessThan(1000);
    // The next gigatick begins anew.
    const before = entries.length;
    gatekeeper.ask(request('guest:ring3', 'exit', { tick: 1e9 }));
    expect(entries.length).toBe(before + 1);
    expect(verifyAudit(lines, hashing).ok).toBe(true);
  });
});

describe('what an allowed request takes of the limits', () => {
  it('is in its entry, and enough to count again', () => {
    const { entries, gatekeeper } = bench();
    const asked = [
      request('guest:ring0', 'start', { name: 'boot', tick: 10 }),
      request('guest:ring3', 'log', { bytes: 100, tick: 20 }),
      request('guest:ring3', 'log', { bytes: 1e9, tick: 25 }),
      request('guest:ring0', 'put', { bytes: 7, tick: 30 }),
      request('guest:ring3', 'status', { tick: 40 }),
      request('host:user', 'mark', { name: 'här', tick: 50 }),
    ];
    for (const one of asked) gatekeeper.ask(one);
    expect(entries.map(({ used }) => used)).toEqual([
      { bytes: 4, perGigatick: 100 },
      { bytes: 100, perGigatick: 10000 },
      undefined,
      { bytes: 7, perGigatick: 10000 },
      undefined,
      { bytes: 4 },
    ]);
    const again = new PolicyCounters();
    for (const entry of entries) {
      const use = usedBy(entry);
      if (use != null) again.use(use, entry.tick);
    }
    expect(again.state).toEqual(gatekeeper.counters.state);
    expect(again.state.rules).toHaveLength(3);
  });

  it('is never left out, not even that of many status requests', () => {
    const { entries, gatekeeper, holder } = bench();
    const limits = { perGigatick: { status: 20_000 } };
    const rules = [{ id: 'asks', effect: 'permit', principals: [{ guest: true }], actions: ['status'], limits }];
    expect(holder.replace(JSON.stringify({ version: 1, rules }), 'test')).toBeNull();
    for (let tick = 0; tick < 20_000; tick++) gatekeeper.ask(request('guest:ring3', 'status', { tick }));
    expect(entries).toHaveLength(20_000);
  });

  it.each([
    [{ bytes: -1 }],
    [{ bytes: 0.5 }],
    [{}],
    [{ bytes: 1, perGigatick: 0 }],
    [{ bytes: 1, perGigatick: 'x' }],
    [null],
    [7],
  ])('is not taken from an entry that no program wrote: %j', (used) => {
    const entry = { ruleId: 'r', action: 'log', used } as unknown as AuditEntry;
    expect(usedBy(entry)).toBeUndefined();
  });
});

describe('an act of the policy’s', () => {
  it('is an entry of the chain, which holds', () => {
    const { lines, entries, gatekeeper } = sample();
    gatekeeper.noteRemoval('old.reel', true, 6);
    gatekeeper.noteRemoval('stuck.reel', false, 7);
    expect(entries.slice(-2)).toMatchObject([
      {
        id: 6,
        tick: 6,
        principal: 'policy',
        action: 'remove',
        name: 'old.reel',
        ruleId: 'recordings.keep',
        status: 'OK',
      },
      { id: 7, tick: 7, principal: 'policy', action: 'remove', name: 'stuck.reel', status: 'HOST_IO' },
    ]);
    expect(verifyAudit(lines, hashing)).toMatchObject({ ok: true, entries: 7 });
  });
});

describe('verifying an audit log', () => {
  const { lines } = sample();

  it('finds every changed character at its line', () => {
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(), fc.string({ minLength: 1, maxLength: 2 }), (index, at, patch) => {
        const line = lines[index]!;
        const offset = at % line.length;
        const changed = line.slice(0, offset) + patch + line.slice(offset + 1);
        fc.pre(changed !== line);
        const verdict = verifyAudit(lines.with(index, changed), hashing);
        expect(verdict).toMatchObject({ ok: false, line: index + 1, entries: index });
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['a removed line', lines.toSpliced(2, 1), 3],
    ['a removed beginning', lines.slice(1), 1],
    ['a repeated line', lines.toSpliced(2, 0, lines[1]!), 3],
    ['two lines in the wrong order', [lines[0]!, lines[2]!, lines[1]!], 2],
    ['an empty line', lines.toSpliced(1, 0, ''), 2],
    ['half a line', [...lines.slice(0, 2), lines[2]!.slice(0, 100)], 3],
    ['something else', [...lines, '{"hello": 1}'], 6],
  ])('finds %s', (_what, changed, line) => {
    expect(verifyAudit(changed, hashing)).toMatchObject({ ok: false, line });
  });

  it('finds a cut-off end only with the last hash', () => {
    const full = verifyAudit(lines, hashing);
    const lastHash = full.ok ? full.lastHash : '';
    const cut = lines.slice(0, 3);
    expect(verifyAudit(cut, hashing).ok).toBe(true);
    expect(verifyAudit(cut, hashing, lastHash)).toMatchObject({ ok: false, line: 4 });
    expect(verifyAudit(lines, hashing, lastHash).ok).toBe(true);
  });

  it('refuses a rewritten line even if its own hash is made to fit', () => {
    // Entry 2 of a run of the same name, but after another entry 1.
    const forged = bench('run-1');
    for (const tick of [7, 8]) forged.gatekeeper.ask(request('host:user', 'put', { tick }));
    expect(verifyAudit(lines.with(1, forged.lines[1]!), hashing)).toMatchObject({ ok: false, line: 2 });
  });

  it('accepts an empty log', () => {
    expect(verifyAudit([], hashing)).toEqual({ ok: true, entries: 0, runs: 0, lastHash: AUDIT_GENESIS });
  });
});

describe('an audit file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const ask = (made: Bench, count: number): void => {
    for (let tick = 0; tick < count; tick++) made.gatekeeper.ask(request('guest:ring0', 'mark', { name: 'm', tick }));
  };
  function open(path: string, run: string): { file: AuditFile; made: Bench } {
    const file = new AuditFile(path);
    const made = bench(run, file.lastHash);
    made.lines.push = (line) => {
      file.append(line);
      return 0;
    };
    return { file, made };
  }

  it('is made with its folder, and continued by later runs', () => {
    const path = join(folder, 'deep', 'audit.jsonl');
    for (const run of ['a', 'b', 'c']) {
      const { file, made } = open(path, run);
      ask(made, 3);
      file.close();
      file.close();
    }
    expect(verifyAudit(linesOf(path), hashing)).toMatchObject({ ok: true, entries: 9, runs: 3 });
    // A run that was taken out leaves a gap.
    expect(verifyAudit(linesOf(path).toSpliced(3, 3), hashing)).toMatchObject({ ok: false, line: 4 });
  });

  it('can be shared by runs at the same time', () => {
    const path = join(folder, 'shared.jsonl');
    const runs = ['a', 'b'].map((run) => open(path, run));
    for (let n = 0; n < 3; n++) for (const { made } of runs) ask(made, 1);
    expect(verifyAudit(linesOf(path), hashing)).toMatchObject({ ok: true, entries: 6, runs: 2 });
  });

  it('keeps a line that a crash cut off, and goes on after it', () => {
    const path = join(folder, 'torn.jsonl');
    const first = open(path, 'a');
    ask(first.made, 2);
    first.file.close();
    appendFileSync(path, linesOf(path)[1]!.slice(0, 50));
    const second = open(path, 'b');
    ask(second.made, 1);
    const lines = linesOf(path);
    expect(lines).toHaveLength(4);
    expect(second.made.entries[0]!.prev).toBe(first.made.audit.lastHash);
    expect(verifyAudit(lines, hashing)).toMatchObject({ ok: false, line: 3, reason: 'this is not a whole entry' });
    expect(verifyAudit(lines.toSpliced(2, 1), hashing).ok).toBe(true);
  });

  it('that cannot be written is a coded error', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => new AuditFile(join(folder, 'file', 'audit.jsonl'))).toThrow(CodedError);
  });
});

describe('a gatekeeper', () => {
  it('counts what it allowed, and names the rule of the last decision', () => {
    const { gatekeeper } = bench();
    const decision = gatekeeper.ask(request('guest:ring0', 'log', { bytes: 100 }));
    expect(decision.allow).toBe(true);
    expect(gatekeeper.lastRule).toBe('guest-records');
    expect(gatekeeper.counters.bytes('guest-records')).toBe(100);
    gatekeeper.ask(request('guest:ring3', 'exit'));
    expect(gatekeeper.lastRule).toBe('default');
  });
});
