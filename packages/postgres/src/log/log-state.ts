import { type ListAges, listAges, type Subscription } from '@oncekey/core'
import { appendEventsStatement } from '../commit/append-events.ts'
import { endAttempt } from '../commit/attempt-mark.ts'
import { clockWatch, readClock } from '../sql/clock-watch.ts'
import { type ConcurrencyLimit, concurrencyLimit } from '../sql/concurrency-limit.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { storeError } from '../sql/store-error.ts'
import { inPortions } from './in-portions.ts'
import type { ResolvedLogOptions } from './options.ts'
import { giveBack, heldKeys, recordVerdicts, takeDue } from './statements/deliveries.ts'
import { emitOnce, takeIn } from './statements/intake.ts'
import { mendTimes } from './statements/mend-times.ts'
import { logLag, readEvents } from './statements/reading.ts'
import {
  advance,
  leaseSlots,
  releaseSlots,
  suspectEvent,
  unsuspectEvent,
} from './statements/slots.ts'
import { retire, subscribe } from './statements/subscriptions.ts'

/** One log in this process: its options, its statements and its tables. */
export interface LogState<Tx> extends ResolvedLogOptions<Tx> {
  readonly client: SqlClient<Tx>
  readonly statements: LogStatements
  /** The consumers that this process has subscribed, without those that were retired since. */
  readonly subscribed: Map<string, Subscribed>
  /** Limits how many transactions of consumers are open; each takes one permit. */
  readonly transactions: ConcurrencyLimit
  /**
   * How long ago each consumer's lists of types were last seen, by this process's monotonic clock.
   */
  readonly listAges: ListAges
  /**
   * If the server's clock was put back, moves the times of retries. Asks the server once a minute.
   */
  readonly watchClock: () => Promise<void>
  /**
   * Runs a statement in autocommit, at READ COMMITTED if it needs that. Rejects with one of the
   * contract's codes.
   */
  ask<Row>(statement: Statement<Row>, within?: { readonly timeoutMs: number }): Promise<Row[]>
}

export interface Subscribed {
  readonly subscription: Subscription
  /** The server's life in which the database had the consumer: when it was last leased. */
  life: string
  /** When it was subscribed, by the server's clock. Milliseconds since 1970. */
  readonly atMs: number
}

export function logState<Tx>(options: ResolvedLogOptions<Tx>): LogState<Tx> {
  const { client, schema, schemaName, timeoutMs } = options
  const asked = atReadCommitted(client)

  async function ask<Row>(statement: Statement<Row>, within = { timeoutMs }): Promise<Row[]> {
    try {
      return await asked.query(statement, within)
    } catch (error) {
      throw storeError(error, schemaName)
    }
  }

  return {
    ...options,
    statements: logStatements(schema),
    subscribed: new Map(),
    transactions: concurrencyLimit(options.maxTransactions),
    listAges: listAges(),
    watchClock: clockWatch({
      readClock: async () => Number((await ask(readClock()))[0]?.ms),
      mend: () => inPortions((limit) => ask(mendTimes(schema)(limit))),
    }),
    ask,
  }
}

/** The statements that are sent often. Their text is built once, for the schema. */
export interface LogStatements {
  readonly advance: ReturnType<typeof advance>
  readonly appendEvents: ReturnType<typeof appendEventsStatement>
  readonly emitOnce: ReturnType<typeof emitOnce>
  readonly endAttempt: ReturnType<typeof endAttempt>
  readonly giveBack: ReturnType<typeof giveBack>
  readonly heldKeys: ReturnType<typeof heldKeys>
  readonly leaseSlots: ReturnType<typeof leaseSlots>
  readonly logLag: ReturnType<typeof logLag>
  readonly readEvents: ReturnType<typeof readEvents>
  readonly releaseSlots: ReturnType<typeof releaseSlots>
  readonly retire: ReturnType<typeof retire>
  readonly recordVerdicts: ReturnType<typeof recordVerdicts>
  readonly subscribe: ReturnType<typeof subscribe>
  readonly suspectEvent: ReturnType<typeof suspectEvent>
  readonly unsuspectEvent: ReturnType<typeof unsuspectEvent>
  readonly takeDue: ReturnType<typeof takeDue>
  readonly takeIn: ReturnType<typeof takeIn>
}

function logStatements(schema: string): LogStatements {
  return {
    advance: advance(schema),
    appendEvents: appendEventsStatement(schema),
    emitOnce: emitOnce(schema),
    endAttempt: endAttempt(schema),
    giveBack: giveBack(schema),
    heldKeys: heldKeys(schema),
    leaseSlots: leaseSlots(schema),
    logLag: logLag(schema),
    readEvents: readEvents(schema),
    releaseSlots: releaseSlots(schema),
    retire: retire(schema),
    recordVerdicts: recordVerdicts(schema),
    subscribe: subscribe(schema),
    suspectEvent: suspectEvent(schema),
    unsuspectEvent: unsuspectEvent(schema),
    takeDue: takeDue(schema),
    takeIn: takeIn(schema),
  }
}
