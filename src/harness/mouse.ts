import { CodedError } from '../base/errors.js';
import { encodeMouseInput } from '../devices/ps2-mouse.js';

export type MouseButton = keyof typeof MOUSE_BUTTONS;

export interface MouseOptions {
  /** Steps towards the user. */
  readonly wheel?: number;
  /** All that are held down from now on. */
  readonly buttons?: readonly MouseButton[];
}

const MOUSE_BUTTONS = { left: 1, right: 2, middle: 4 } as const;
const MOST_COUNTS = 32_767;
const MOST_WHEEL_STEPS = 127;

function checkRange(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && Math.abs(value) <= most) return;
  throw new CodedError('USAGE', `the mouse cannot move by ${name} = ${value}`, {
    hint: `a whole number from ${-most} to ${most}`,
  });
}

/** The mouse in the hands of a host. */
export class Mouse {
  /** `held` is what buttons are down, as last sent; `send` gets the payload of an input. */
  constructor(
    private held: number,
    private readonly send: (payload: Uint8Array) => void,
  ) {}

  /** Counts to the right and downwards. Throws USAGE for what no mouse can do at once. */
  move(dx: number, dy: number, { wheel = 0, buttons }: MouseOptions): void {
    checkRange('dx', dx, MOST_COUNTS);
    checkRange('dy', dy, MOST_COUNTS);
    checkRange('wheel', wheel, MOST_WHEEL_STEPS);
    if (buttons !== undefined) this.held = buttons.reduce((bits, name) => bits | MOUSE_BUTTONS[name], 0);
    // The mouse itself counts upwards. Not -dy, which may be -0.
    this.send(encodeMouseInput({ dx, dy: 0 - dy, wheel, buttons: this.held }));
  }
}
