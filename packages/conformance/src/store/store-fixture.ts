import type { OutboxEvent, Store } from '@oncekey/core'

/**
 * A store under test. Only `store` is a must; each of the others lets more of the contract be
 * tested, and what stays untested is reported as skipped, with its reason.
 *
 * The suite names every namespace, key, event and write anew, so fixtures may share one database.
 * It runs at most four attempts at once, with a few claims waiting.
 */
export interface StoreFixture<Tx = unknown> {
  readonly store: Store<Tx>

  /** Ends what `create` began. Called after each test, also after one that failed. */
  close?(): void | Promise<void>

  /** A store on the same data, as another process has it: nothing shared but what is stored. */
  another?(): Store<Tx> | Promise<Store<Tx>>

  /** A store of the other mode on the same data; for stores that have both. The same one each time. */
  otherMode?(): Store<Tx>

  /** Moves the store's clock on. Without it lease tests take real, short leases and wait. Milliseconds. */
  advance?(ms: number): void | Promise<void>

  /** Writes a row named `id`, as a handler would. With `written` it opens the transaction tests. */
  write?(transaction: Tx, id: string): unknown

  /** Whether the row is there: committed, or, with `within`, as that transaction sees it. */
  written?(id: string, within?: Tx): boolean | Promise<boolean>

  /** Every committed event, in order of commit; read behind the store's back. */
  events?(): readonly OutboxEvent[] | Promise<readonly OutboxEvent[]>

  /** Lets the responses stored so far grow older than their retention, their keys not. */
  expireResults?(): void | Promise<void>

  /** Lets the keys finished so far grow older than their retention; nothing has purged them yet. */
  expireKeys?(): void | Promise<void>
}

/** What a behaviour asks of a store before it can be tested on it. */
export type Need =
  | 'transaction mode'
  | 'lease mode'
  | 'no transactions'
  | 'transactions'
  | 'attempts side by side'
  | 'another instance'
  | 'other mode'
  | 'events'
  | 'expiring results'
  | 'expiring keys'

/** Each answers why a fixture does not have it; `undefined` if it does. */
const needs: Record<Need, (fixture: StoreFixture) => string | undefined> = {
  'transaction mode': ({ store }) =>
    store.capabilities.mode === 'transaction' ? undefined : 'the store is in lease mode',

  'lease mode': ({ store }) =>
    store.capabilities.mode === 'lease' ? undefined : 'the store is in transaction mode',

  'no transactions': ({ store }) =>
    store.capabilities.transactions ? 'the store has transactions' : undefined,

  transactions: ({ store, write, written }) => {
    if (!store.capabilities.transactions) return 'the store has no transactions'
    if (write === undefined || written === undefined)
      return 'the fixture lacks write() or written()'
    return undefined
  },

  'attempts side by side': ({ store }) =>
    store.capabilities.concurrency === 'many'
      ? undefined
      : 'the store runs attempts one after the other',

  'another instance': ({ another }) =>
    another === undefined ? 'the fixture lacks another()' : undefined,

  'other mode': ({ otherMode }) =>
    otherMode === undefined ? 'the fixture lacks otherMode()' : undefined,

  events: ({ events }) => (events === undefined ? 'the fixture lacks events()' : undefined),

  'expiring results': ({ expireResults }) =>
    expireResults === undefined ? 'the fixture lacks expireResults()' : undefined,

  'expiring keys': ({ expireKeys }) =>
    expireKeys === undefined ? 'the fixture lacks expireKeys()' : undefined,
}

/** Why this store cannot be asked for a behaviour; `undefined` if it can. */
export function unmet(fixture: StoreFixture, wanted: readonly Need[] = []): string | undefined {
  for (const need of wanted) {
    const reason = needs[need](fixture)
    if (reason !== undefined) return `needs ${need}: ${reason}`
  }
  return undefined
}
