import { tellEndpoint, tellError, type WebhookEndpointMessage } from './channels.ts'
import type { ResolvedOptions } from './options.ts'
import {
  type CrossedEndpoint,
  type Settlement,
  settleDeliveries,
} from './statements/settle-deliveries.ts'

export interface SettleQueue {
  /** Resolves when the outcome is on record, or no longer can be: its lease is over. Never rejects. */
  settle(settlement: Settlement, leaseEnd: number): Promise<void>
}

interface Waiting {
  readonly settlement: Settlement
  readonly leaseEnd: number
  done(): void
}

/**
 * Writes outcomes, one statement at a time: what comes in while one is under way goes with the next,
 * so the busier it is, the fewer statements each outcome costs.
 */
export function settleQueue(options: ResolvedOptions): SettleQueue {
  let waiting: Waiting[] = []
  let writing = false

  return {
    settle: (settlement, leaseEnd) =>
      new Promise((done) => {
        waiting.push({ settlement, leaseEnd, done })
        if (!writing) void writeAll()
      }),
  }

  async function writeAll(): Promise<void> {
    writing = true
    while (waiting.length > 0) {
      // What ends a moment later shares the statement, and its commit.
      await pause(GATHER_MS)
      const batch = waiting.slice(0, MOST)
      waiting = waiting.slice(MOST)
      if (await write(batch)) continue
      // The database may be back in a moment, and until the lease is over nobody else sends these.
      await pause(AGAIN_MS)
      waiting = [...batch.filter(stillOurs), ...waiting]
    }
    writing = false
  }

  async function write(batch: readonly Waiting[]): Promise<boolean> {
    try {
      const statement = settleDeliveries(
        options.schema,
        batch.map(({ settlement }) => settlement),
        options.policy,
      )
      const rows = await options.sql.query(statement, { timeoutMs: TIMEOUT_MS })
      for (const { done } of batch) done()
      for (const { crossed } of rows) void report(JSON.parse(crossed))
      return true
    } catch (error) {
      const deliveryIds = batch.map(({ settlement }) => settlement.id)
      tellError({ error, during: 'settle', deliveryIds })
      return false
    }
  }

  async function report(crossed: CrossedEndpoint): Promise<void> {
    const message = messageOf(crossed)
    tellEndpoint(message)
    try {
      await options.onFailingEndpoint(message)
    } catch (error) {
      tellError({ error, during: 'hook', deliveryIds: [] })
    }
  }
}

/** Drops the outcomes that a lease no longer protects: somebody else may be sending by now. */
function stillOurs({ leaseEnd, done }: Waiting): boolean {
  if (performance.now() < leaseEnd) return true
  done()
  return false
}

function messageOf(crossed: CrossedEndpoint): WebhookEndpointMessage {
  return {
    endpointId: crossed.id,
    customer: crossed.customer,
    url: crossed.url,
    failingPercent: crossed.failingPercent ?? undefined,
    failingSince: crossed.failingSince === null ? undefined : new Date(crossed.failingSince),
    disabled: crossed.disabled ? (crossed.reason as 'gone' | 'failing') : undefined,
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

const MOST = 200
const GATHER_MS = 10
const AGAIN_MS = 200
const TIMEOUT_MS = 10_000
