export const HOST_NAMES = ['user', 'ids', 'api'] as const;
export type HostName = (typeof HOST_NAMES)[number];

export type Ring = 0 | 1 | 2 | 3;

/** A guest's caller, by what the emulator itself observes at the call. Only the token is the guest's own claim. */
export interface GuestCaller {
  /** CPL; a V86 task has 3. */
  readonly ring: Ring;
  readonly cr3: number;
  /** Linear address of the IN instruction. */
  readonly eip: number;
  /** Hash of the agent's code in guest memory, lower-case hexadecimal; null where there is no agent's header. */
  readonly codeSha256: string | null;
  /** Hash of what was presented with AUTH. */
  readonly tokenSha256: string | null;
}

/** Who asks. */
export type Principal = { readonly host: HostName } | { readonly guest: GuestCaller };

/** `host:ids`, `guest:ring3`: how recordings, marks and audit entries name a principal. */
export function describePrincipal(principal: Principal): string {
  return 'host' in principal ? `host:${principal.host}` : `guest:ring${principal.guest.ring}`;
}

/** Whether `party` (`host`, `guest:ring3`) covers the described principal. */
export function partyCovers(party: string, described: string): boolean {
  return described === party || described.startsWith(`${party}:`);
}

/** What parsePrincipal reads, for messages. */
export const PRINCIPAL_FORM =
  'host:user, host:ids, host:api, or guest:ring0 to guest:ring3 with ,code=SHA256 ,token=SHA256 ,cr3=N ,eip=N';

/**
 * Reads `host:user` or `guest:ring3,code=HEX,token=HEX,cr3=0x1000,eip=0x8000`, the fields in any order and all but the
 * first optional. Null where `text` is no principal.
 */
export function parsePrincipal(text: string): Principal | null {
  const [head = '', ...fields] = text.split(',');
  const host = HOST_NAMES.find((name) => head === `host:${name}`);
  if (host !== undefined) return fields.length === 0 ? { host } : null;
  const ring = /^guest:ring([0-3])$/.exec(head)?.[1];
  if (ring === undefined) return null;
  let guest: GuestCaller = { ring: Number(ring) as Ring, cr3: 0, eip: 0, codeSha256: null, tokenSha256: null };
  for (const field of fields) {
    const read = parseField(field);
    if (read === null) return null;
    guest = { ...guest, ...read };
  }
  return { guest };
}

function parseField(field: string): Partial<GuestCaller> | null {
  const [, key, value = ''] = /^(code|token|cr3|eip)=(.+)$/.exec(field) ?? [];
  if (key === 'cr3' || key === 'eip') {
    const isAddress = /^(0x[0-9a-f]{1,8}|[0-9]{1,10})$/i.test(value) && Number(value) <= 0xffff_ffff;
    return isAddress ? { [key]: Number(value) } : null;
  }
  if (!/^[0-9a-f]{64}$/.test(value)) return null;
  return key === 'code' ? { codeSha256: value } : { tokenSha256: value };
}
