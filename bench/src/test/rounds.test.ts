import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Guest } from '../guest.js';
import { measureRounds, orderOfRound } from '../rounds.js';
import type { System } from '../systems/system.js';
import { run } from './sample.js';

const order: string[] = [];

function fake(id: System['id'], more: Partial<System> = {}): System {
  return {
    id,
    title: id,
    hasDevices: true,
    missing: () => null,
    run: async () => {
      order.push(id);
      return run(1);
    },
    ...more,
  };
}

const context = { guest: new Guest('nowhere'), words: [], scratch: 'nowhere', equipment: null, say: () => {} };

describe('the rounds', () => {
  it('begin with another system each, and keep together what belongs together', () => {
    const systems = [fake('native'), fake('guestreel-on'), fake('guestreel-replay', { needs: 'guestreel-on' })];
    const ids = [0, 1, 2].map((round) => orderOfRound(systems, round).map(({ id }) => id));
    assert.deepEqual(ids[0], ['native', 'guestreel-on', 'guestreel-replay']);
    assert.deepEqual(ids[1], ['guestreel-on', 'guestreel-replay', 'native']);
    assert.deepEqual(ids[2], ids[0]);
  });

  it('have more turns for what is to run more often', () => {
    const systems = [
      fake('guestreel-off', { turns: 3 }),
      fake('guestreel-on', { turns: 3 }),
      fake('guestreel-replay', { needs: 'guestreel-on', turns: 3 }),
      fake('v86'),
    ];
    const ids = orderOfRound(systems, 0).map(({ id }) => id.replace('guestreel-', ''));
    assert.deepEqual(ids, ['off', 'on', 'replay', 'v86', 'on', 'replay', 'off', 'off', 'on', 'replay']);
  });

  it('run every system once in each', async () => {
    order.length = 0;
    const results = await measureRounds([fake('native'), fake('v86')], context, 2);
    assert.deepEqual(order, ['native', 'v86', 'v86', 'native']);
    assert.deepEqual(
      results.map(({ runs }) => runs.length),
      [2, 2],
    );
  });

  it('go on without a peer that is not installed, and without what needs it', async () => {
    const record = fake('qemu-record', { missing: () => 'not installed' });
    const replay = fake('qemu-replay', { needs: 'qemu-record' });
    const results = await measureRounds([record, replay, fake('native')], context, 1);
    assert.deepEqual(
      results.map(({ missing }) => missing),
      ['not installed', 'needs qemu-record', null],
    );
  });

  it('say so when a system fails, and do not run it again', async () => {
    let attempts = 0;
    const broken = fake('v86', {
      run: async () => {
        attempts++;
        throw new Error('no');
      },
    });
    const [result] = await measureRounds([broken], context, 3);
    assert.equal(result.missing, 'failed in round 1');
    assert.equal(attempts, 1);
  });
});
