import { toHex } from '../base/hash.js';
import { utf8Decode } from '../base/platform.js';
import type { AskKind } from '../core/input-gate.js';
import { decodeRequest } from '../devices/backdoor/service.js';

/** A request as people read it in a report of a divergence. */
export function describeAsk(kind: AskKind, request: Uint8Array): string {
  if (kind !== 'backdoor' && kind !== 'vmport') return toHex(request);
  const { command, ebx, payload, caller } = decodeRequest(request);
  const text = payload.length === 0 ? '' : ` ${JSON.stringify(utf8Decode(payload.subarray(0, 64)))}`;
  return `${command}${text} (EBX=${ebx.toString(16)}h) by ring ${caller.ring} at ${caller.eip.toString(16)}h`;
}
