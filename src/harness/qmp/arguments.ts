import { QMP_COMMANDS, type QmpArgument, type QmpArguments, type QmpCommandName } from './commands.js';
import { QmpError } from './qmp-error.js';

/** Keys pressed at once. */
const MOST_KEYS = 32;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** QEMU's words for an argument of the wrong type. */
function wrongType(name: string, expected: string): QmpError {
  return new QmpError(`Invalid parameter type for '${name}', expected: ${expected}`);
}

/** `[{"type": "qcode", "data": "ctrl"}, ...]`: the data. */
function checkKeys(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw wrongType(name, 'array');
  if (value.length === 0 || value.length > MOST_KEYS) {
    throw new QmpError(`Parameter '${name}' expects 1 to ${MOST_KEYS} keys`);
  }
  return value.map((key: unknown) => {
    if (!isObject(key)) throw wrongType(name, 'object');
    if (key.type !== 'qcode') throw new QmpError(`Parameter '${name}.type' does not accept value; keys are qcodes`);
    const { data } = key;
    if (typeof data !== 'string') throw wrongType(`${name}.data`, 'string');
    if (!/^[a-z0-9_]{1,32}$/.test(data)) throw new QmpError(`Parameter '${name}.data' names no key`);
    return data;
  });
}

function checkValue(name: string, { type }: QmpArgument, value: unknown): unknown {
  switch (type) {
    case 'integer':
      if (!Number.isSafeInteger(value)) throw wrongType(name, 'integer');
      return value;
    case 'strings':
      if (!Array.isArray(value) || value.some((item) => typeof item !== 'string')) throw wrongType(name, 'array');
      return value;
    case 'keys':
      return checkKeys(name, value);
    default:
      if (typeof value !== type) throw wrongType(name, type);
      return value;
  }
}

/** Checks what a client gave against the declaration. Throws QmpError. */
export function checkArguments<N extends QmpCommandName>(
  command: N,
  given: Readonly<Record<string, unknown>>,
): QmpArguments<N> {
  const declared: Readonly<Record<string, QmpArgument>> = QMP_COMMANDS[command].arguments;
  const checked: Record<string, unknown> = {};
  for (const [name, argument] of Object.entries(declared)) {
    if (Object.hasOwn(given, name)) checked[name] = checkValue(name, argument, given[name]);
    else if (argument.optional !== true) throw new QmpError(`Parameter '${name}' is missing`);
  }
  const stray = Object.keys(given).find((name) => !Object.hasOwn(declared, name));
  if (stray !== undefined) throw new QmpError(`Parameter '${stray}' is unexpected`);
  return checked as QmpArguments<N>;
}
