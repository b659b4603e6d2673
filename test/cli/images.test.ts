import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { guestImages } from '../../src/host/guest-images.js';
import { temporaryFolder } from './recordings.js';
import { desk } from './run-cli.js';
import { schemaErrors } from './schema.js';

it('reel images list names every image of the manifest, and all are there', async () => {
  const [text, json] = [desk(), desk()];
  expect(await text.run(['images', 'list'])).toBe(0);
  for (const { name } of guestImages()) expect(text.stdout.text).toContain(`${name} `);
  expect(await json.run(['images', 'list', '--json'])).toBe(0);
  const images = JSON.parse(json.stdout.text) as { state: string }[];
  expect(schemaErrors('cli-images', images)).toEqual([]);
  expect(images.length).toBeGreaterThan(0);
  expect(images.filter(({ state }) => state !== 'ok')).toEqual([]);
});

it('reel images takes nothing but list and build', async () => {
  const at = desk();
  expect(await at.run(['images', 'delete'])).toBe(2);
  expect(at.stderr.text).toContain('Allowed choices are list, build');
});

const hasNasm = spawnSync(process.env.NASM ?? 'nasm', ['-v']).status === 0;

it(`reel images build ${hasNasm ? 'makes the same images' : 'says that NASM is missing'}`, async () => {
  const [at, folder] = [desk(), temporaryFolder()];
  const code = await at.run(['images', 'build', '-o', folder]);
  expect({ code, stderr: at.stderr.text }).toEqual(
    hasNasm ? { code: 0, stderr: '' } : { code: 11, stderr: expect.stringMatching(/nasm/i) as string },
  );
  if (!hasNasm) return;
  const names = guestImages().map((image) => image.name);
  expect(readdirSync(folder).sort()).toEqual(names.sort());
  expect(at.stdout.text.match(/: identical$/gm)).toHaveLength(names.length);
});
