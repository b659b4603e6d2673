import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { CodedError } from '../base/errors.js';
import type { Signer, Verifier } from '../log/signature.js';

/** SHA-256 of the public key's DER form, in hexadecimal. */
function keyIdOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Reads one Ed25519 key; a key of another kind, or none, is a CONFIG error that names `where`. */
function readKey(pem: string, where: string, read: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read(pem);
  } catch (cause) {
    throw new CodedError('CONFIG', 'not a key in PEM form', { where, cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new CodedError('CONFIG', `a key of type ${key.asymmetricKeyType} where Ed25519 is needed`, { where });
  }
  return key;
}

/** Signs with the Ed25519 private key in `pem` (PKCS #8). */
export function createSigner(pem: string, where = 'private key'): Signer {
  const key = readKey(pem, where, createPrivateKey);
  return { keyId: keyIdOf(createPublicKey(key)), sign: (message) => new Uint8Array(sign(null, message, key)) };
}

/** Trusts the Ed25519 public keys in `pems` (SPKI). */
export function createVerifier(pems: readonly string[], where = 'public key'): Verifier {
  const keys = new Map<string, KeyObject>();
  for (const pem of pems) {
    const key = readKey(pem, where, createPublicKey);
    keys.set(keyIdOf(key), key);
  }
  return {
    verify(message, signature, keyId) {
      const key = keys.get(keyId);
      return key !== undefined && verify(null, message, key, signature);
    },
  };
}

/** A new pair of Ed25519 keys as PEM. */
export function createSigningKeys(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}
