/**
 * A digest takes over what it hashed before of devices that cannot have changed. With this imported, every digest is compared
 * with the state itself.
 */
import { vi } from 'vitest';
import { toHex } from '../src/base/hash.js';
import { Machine } from '../src/machine/machine.js';

const { digest } = Machine.prototype;

vi.spyOn(Machine.prototype, 'digest').mockImplementation(function (this: Machine) {
  const taken = digest.call(this);
  for (const { name, bytes } of this.save().sections) {
    const found = toHex(taken.sections.get(name)!);
    if (found !== toHex(this.hashing.sha256(bytes))) {
      throw new Error(`at tick ${this.tick} the digest has another "${name}" than the machine`);
    }
  }
  return taken;
});
