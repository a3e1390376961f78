import type { Subscription } from '@oncekey/core'
import type { SqlClient, Statement } from '../sql-client.ts'
import { type Places, places } from '../store/places.ts'
import { appendEventsStatement } from '../store/statements/append-events.ts'
import { endAttemptStatement } from '../store/statements/end-attempt.ts'
import { storeError } from '../store-error.ts'
import type { ResolvedLogOptions } from './options.ts'
import { advance } from './statements/advance.ts'
import { emitOnce } from './statements/emit-once.ts'
import { heldKeys } from './statements/held-keys.ts'
import { leaseSlots } from './statements/lease-slots.ts'
import { logLag } from './statements/log-lag.ts'
import { readEvents } from './statements/read-events.ts'
import { releaseSlots } from './statements/release-slots.ts'
import { retire } from './statements/retire.ts'
import { settleDeliveries } from './statements/settle-deliveries.ts'
import { subscribe } from './statements/subscribe.ts'
import { suspectEvent } from './statements/suspect-event.ts'
import { takeDue } from './statements/take-due.ts'
import { takeIn } from './statements/take-in.ts'

/** What the parts of one log share. */
export interface LogState<Tx> extends ResolvedLogOptions<Tx> {
  readonly client: SqlClient<Tx>
  readonly statements: LogStatements
  /** By consumer: what this process subscribed, and in which life of the server. */
  readonly subscribed: Map<string, { readonly subscription: Subscription; readonly life: string }>
  /** Places for the transactions of consumers. */
  readonly transactions: Places
  /** Runs a statement in autocommit; rejects with one of the contract's codes. */
  ask<Row>(statement: Statement<Row>): Promise<Row[]>
}

export function logState<Tx>(options: ResolvedLogOptions<Tx>): LogState<Tx> {
  const { client, schema, schemaName, timeoutMs } = options

  async function ask<Row>(statement: Statement<Row>): Promise<Row[]> {
    try {
      return await client.query(statement, { timeoutMs })
    } catch (error) {
      throw storeError(error, schemaName)
    }
  }

  return {
    ...options,
    statements: logStatements(schema),
    subscribed: new Map(),
    transactions: places(options.maxTransactions),
    ask,
  }
}

/** The statements that are sent again and again, written once for their schema. */
export interface LogStatements {
  readonly advance: ReturnType<typeof advance>
  readonly appendEvents: ReturnType<typeof appendEventsStatement>
  readonly emitOnce: ReturnType<typeof emitOnce>
  readonly endAttempt: ReturnType<typeof endAttemptStatement>
  readonly heldKeys: ReturnType<typeof heldKeys>
  readonly leaseSlots: ReturnType<typeof leaseSlots>
  readonly logLag: ReturnType<typeof logLag>
  readonly readEvents: ReturnType<typeof readEvents>
  readonly releaseSlots: ReturnType<typeof releaseSlots>
  readonly retire: ReturnType<typeof retire>
  readonly settleDeliveries: ReturnType<typeof settleDeliveries>
  readonly subscribe: ReturnType<typeof subscribe>
  readonly suspectEvent: ReturnType<typeof suspectEvent>
  readonly takeDue: ReturnType<typeof takeDue>
  readonly takeIn: ReturnType<typeof takeIn>
}

function logStatements(schema: string): LogStatements {
  return {
    advance: advance(schema),
    appendEvents: appendEventsStatement(schema),
    emitOnce: emitOnce(schema),
    endAttempt: endAttemptStatement(schema),
    heldKeys: heldKeys(schema),
    leaseSlots: leaseSlots(schema),
    logLag: logLag(schema),
    readEvents: readEvents(schema),
    releaseSlots: releaseSlots(schema),
    retire: retire(schema),
    settleDeliveries: settleDeliveries(schema),
    subscribe: subscribe(schema),
    suspectEvent: suspectEvent(schema),
    takeDue: takeDue(schema),
    takeIn: takeIn(schema),
  }
}
