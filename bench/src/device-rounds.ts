import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DISK_BYTES, DOWNLOAD_BYTES, type Device, type Equipment } from './devices.js';
import type { SystemResults } from './results.js';
import { measureRounds, type RoundsContext } from './rounds.js';
import type { System } from './systems/system.js';

/** Gives the same file to whoever asks, on the loopback interface. */
async function serve(): Promise<Server> {
  const file = randomBytes(DOWNLOAD_BYTES);
  const server = createServer((_, response) => response.end(file));
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening));
  return server;
}

function writeImage(folder: string): string {
  const image = join(folder, 'disk.img');
  writeFileSync(image, randomBytes(DISK_BYTES));
  return image;
}

/** The rows of one device, in all systems that can have it. */
export async function measureDevice(
  device: Device,
  systems: readonly System[],
  context: RoundsContext,
  rounds: number,
): Promise<SystemResults[]> {
  const scratch = join(context.scratch, device);
  mkdirSync(scratch);
  const server = device === 'network' ? await serve() : null;
  const equipment: Equipment =
    device === 'disk'
      ? { device, image: writeImage(scratch) }
      : { device, port: (server!.address() as AddressInfo).port };
  const say = (text: string): void => context.say(`${device}, ${text}`);
  try {
    const able = systems.filter(({ hasDevices }) => hasDevices).map((system) => ({ ...system, turns: 1 }));
    return await measureRounds(able, { ...context, scratch, words: [device], equipment, say }, rounds);
  } finally {
    server?.closeAllConnections();
    server?.close();
    rmSync(scratch, { recursive: true });
  }
}
