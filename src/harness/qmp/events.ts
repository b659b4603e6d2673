/** Every event, with QEMU's names and members where QEMU has it. docs/qmp.md is made from this table. */
export const QMP_EVENTS = {
  STOP: { summary: 'the machine or replay was paused', data: '' },
  RESUME: { summary: 'it goes on', data: '' },
  RESET: { summary: 'the machine was reset', data: '`guest`, `reason`: `guest-reset` or `host-qmp-system-reset`' },
  POWERDOWN: { summary: 'the power button was pressed by `system_powerdown`', data: '' },
  SHUTDOWN: {
    summary: 'the run has ended; the socket is closed next',
    data: '`guest`, `reason`: `guest-shutdown`, `guest-reset` (triple fault), `host-qmp-quit`, `host-signal`, `host-ui` or `host-error`',
  },
  GUESTREEL_RECORDING: {
    summary: 'something happened to a recording',
    data: '`state`: `started`, `stopped`, `failed`, `removed` or `not-removed`; `name`, `file`, `reason`',
  },
  GUESTREEL_MARK: {
    summary: 'guest or host set a mark, began or ended a phase, or gave a verdict',
    data: '`type`: `mark`, `begin`, `end` or `verdict`; `label`, `value`, `tick`, `by`; values of verdicts: 0 pass, 1 fail, 2 skip',
  },
} as const satisfies Record<string, { readonly summary: string; readonly data: string }>;

export type QmpEventName = keyof typeof QMP_EVENTS;

/** Tells clients. */
export type QmpEmit = (event: QmpEventName, data?: Readonly<Record<string, unknown>>) => void;
