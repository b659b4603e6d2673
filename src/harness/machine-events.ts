import type { Tick } from '../core/clock.js';

/** What listeners of a machine receive. */
export interface MachineEvents {
  recording: {
    /** `removed`: the policy keeps fewer finished recordings than there are; `not-removed`: the host could not. */
    readonly state: 'started' | 'stopped' | 'failed' | 'removed' | 'not-removed';
    readonly name: string;
    readonly file: string;
    readonly reason: string;
  };
  mark: { readonly label: string; readonly value: number; readonly tick: Tick; readonly by: string };
  phase: {
    readonly type: 'begin' | 'end';
    readonly name: string;
    readonly id: number;
    readonly tick: Tick;
    readonly by: string;
  };
  verdict: {
    readonly name: string;
    readonly verdict: 'pass' | 'fail' | 'skip';
    readonly tick: Tick;
    readonly by: string;
  };
  denied: {
    readonly principal: string;
    readonly action: string;
    readonly rule: string;
    readonly reason: string;
    readonly tick: Tick;
  };
  /** Begins or ends; see GuestMachine.pause(). */
  pause: { readonly paused: boolean; readonly tick: Tick };
  /** The machine was reset: by the guest, or as an input of the host's. */
  reset: { readonly byHost: boolean; readonly tick: Tick };
  log: { readonly text: string; readonly tick: Tick; readonly by: string };
}
