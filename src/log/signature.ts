import { CodedError } from '../base/errors.js';
import { toHex } from '../base/hash.js';
import { utf8Decode, utf8Encode } from '../base/platform.js';
import { count, list, object, sha256Text, text } from './json-shape.js';
import { json } from './payload.js';

/** Name of the attachment that holds the DSSE envelope. */
export const SIGNATURE_ATTACHMENT = 'guestreel.signature';
export const SIGNATURE_MEDIA_TYPE = 'application/vnd.dsse+json';
/** DSSE payload type of ChainStatement. */
export const STATEMENT_TYPE = 'application/vnd.guestreel.chain+json';

/** Signs with Ed25519; the key is the host's. */
export interface Signer {
  /** A hint for finding the public key, e.g. its SHA-256. */
  readonly keyId: string;
  sign(message: Uint8Array): Uint8Array;
}

export interface Verifier {
  /** True if `signature` is the signature of `message` by a key that the host trusts. */
  verify(message: Uint8Array, signature: Uint8Array, keyId: string): boolean;
}

/** What is signed: which recording, and the hash chain over all of its content. */
export interface ChainStatement {
  readonly recordingId: string;
  readonly formatVersion: number;
  readonly chunks: number;
  /** The chain's last value. */
  readonly chainSha256: string;
}

const STATEMENT = json(
  object<ChainStatement>({ recordingId: text, formatVersion: count, chunks: count, chainSha256: sha256Text }),
);

/** Dead Simple Signing Envelope, version 1. */
interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

const ENVELOPE = json(
  object<Envelope>({
    payload: text,
    payloadType: text,
    signatures: list(object<Envelope['signatures'][number]>({ keyid: text, sig: text })),
  }),
);

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 4648 base64; the engine's own is not in every engine this runs on. */
export function toBase64(bytes: Uint8Array): string {
  let encoded = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let digit = 0; digit < 4; digit++) {
      encoded += i + digit > bytes.length ? '=' : BASE64[(group >> (18 - 6 * digit)) & 63];
    }
  }
  return encoded;
}

/** Undefined if `encoded` is not base64. */
export function fromBase64(encoded: string): Uint8Array | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded)) return undefined;
  const digits = encoded.replaceAll('=', '');
  const bytes = new Uint8Array(Math.floor((digits.length * 6) / 8));
  let bits = 0;
  for (let i = 0, at = 0; i < digits.length; i++) {
    bits = ((bits << 6) | BASE64.indexOf(digits[i]!)) & 0xffffff;
    // A byte is complete after every digit but the first of four.
    if (i % 4 !== 0) bytes[at++] = (bits >> (6 - 2 * (i % 4))) & 0xff;
  }
  return bytes;
}

/** DSSE's pre-authentication encoding: what the signature is over. */
function preAuthentication(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8Encode(payloadType);
  const head = utf8Encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const message = new Uint8Array(head.length + payload.length);
  message.set(head);
  message.set(payload, head.length);
  return message;
}

export function chainStatement(
  recordingId: string,
  version: number,
  chunks: number,
  chain: Uint8Array,
): ChainStatement {
  return { recordingId, formatVersion: version, chunks, chainSha256: toHex(chain) };
}

/** The envelope as stored in the recording. */
export function signStatement(statement: ChainStatement, signer: Signer): Uint8Array {
  const payload = STATEMENT.encode(statement);
  const signature = signer.sign(preAuthentication(STATEMENT_TYPE, payload));
  return ENVELOPE.encode({
    payload: toBase64(payload),
    payloadType: STATEMENT_TYPE,
    signatures: [{ keyid: signer.keyId, sig: toBase64(signature) }],
  });
}

/**
 * Returns the ids of the keys whose signatures hold. Throws DAMAGED if the envelope is malformed, speaks of something
 * other than `expected`, or no signature in it holds.
 */
export function verifyStatement(envelope: Uint8Array, expected: ChainStatement, verifier: Verifier): string[] {
  const where = 'signature';
  const { payload, payloadType, signatures } = ENVELOPE.decode(envelope, where);
  const bytes = fromBase64(payload);
  if (payloadType !== STATEMENT_TYPE || bytes === undefined) {
    throw new CodedError('DAMAGED', `the signature is not over a ${STATEMENT_TYPE}`, { where });
  }
  const message = preAuthentication(payloadType, bytes);
  const holding = signatures.filter(({ keyid, sig }) => {
    const signature = fromBase64(sig);
    return signature !== undefined && verifier.verify(message, signature, keyid);
  });
  if (holding.length === 0) {
    throw new CodedError('DAMAGED', 'no signature of a trusted key holds', {
      where,
      hint: 'the recording was changed, or it was signed with another key',
    });
  }
  if (utf8Decode(STATEMENT.encode(STATEMENT.decode(bytes, where))) !== utf8Decode(STATEMENT.encode(expected))) {
    throw new CodedError('DAMAGED', 'the signature is over another recording', { where });
  }
  return holding.map(({ keyid }) => keyid);
}
