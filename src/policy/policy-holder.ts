import { CodedError } from '../base/errors.js';
import { Policy } from './policy.js';

/** The policy in force, which can be replaced between requests. */
export class PolicyHolder {
  #current: Policy;

  constructor(policy: Policy) {
    this.#current = policy;
  }

  get current(): Policy {
    return this.#current;
  }

  /** Puts `text` in force. If it is invalid the old policy stays, and what is wrong is returned. */
  replace(text: string, source: string): CodedError | null {
    try {
      this.#current = Policy.parse(text, source);
      return null;
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
  }
}
