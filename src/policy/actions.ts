/** Which requests give a name, and so can be judged by it. */
type NameUse =
  /** Always; none is the empty name. */
  | 'always'
  /** Unless there is nothing to name: a stop while nothing is recorded. */
  | 'if-any'
  | 'never';

interface ActionInfo {
  readonly name: NameUse;
  /** Guests cannot ask for it; no rule can permit it to them. */
  readonly hostOnly: boolean;
  /** For people. */
  readonly verb: string;
}

function guestAction(verb: string, name: NameUse = 'never'): ActionInfo {
  return { name, hostOnly: false, verb };
}
function hostAction(verb: string, name: NameUse = 'never'): ActionInfo {
  return { name, hostOnly: true, verb };
}

/**
 * Every action a policy can speak of. The order is a contract: the n-th action is bit n of the masks that tell a caller
 * what it may do, and the backdoor's protocol table gives the first ten the same bits on the wire. Add at the end only.
 * The backdoor's BEGIN, END and VERDICT are marks; HELLO and AUTH need no permission.
 */
export const ACTIONS = {
  start: guestAction('start recordings', 'always'),
  stop: guestAction('stop recordings', 'if-any'),
  mark: guestAction('set marks', 'always'),
  log: guestAction('log text'),
  check: guestAction('check bytes'),
  put: guestAction('put attachments'),
  get: guestAction('get bytes from the host'),
  checkpoint: guestAction('ask for checkpoints'),
  exit: guestAction('end the machine'),
  status: guestAction('ask for the status'),
  replay: hostAction('replay'),
  goLive: hostAction('go live'),
  export: hostAction('export'),
  control: hostAction('control the machine', 'always'),
} as const satisfies Record<string, ActionInfo>;

export type Action = keyof typeof ACTIONS;

export const ACTION_NAMES = Object.keys(ACTIONS) as readonly Action[];

export function isAction(text: string): text is Action {
  return Object.hasOwn(ACTIONS, text);
}

export function actionInfo(action: Action): ActionInfo {
  return ACTIONS[action];
}

/** The bit of `action` in a mask of permitted actions. */
export function actionBit(action: Action): number {
  return 1 << ACTION_NAMES.indexOf(action);
}

/** All bits, and those of what guests can ask for. */
export const ALL_ACTIONS = ACTION_NAMES.reduce((mask, action) => mask | actionBit(action), 0);
export const GUEST_ACTIONS = ACTION_NAMES.reduce(
  (mask, action) => (actionInfo(action).hostOnly ? mask : mask | actionBit(action)),
  0,
);

/** The actions whose bits are set in `mask`. */
export function actionsOf(mask: number): Action[] {
  return ACTION_NAMES.filter((action) => (mask & actionBit(action)) !== 0);
}
