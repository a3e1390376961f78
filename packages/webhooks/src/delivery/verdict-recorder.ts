import { sleep } from '@oncekey/core'
import { isPoolEnded, sqlState } from '@oncekey/postgres/client'
import type { ResolvedOptions } from '../options/options.ts'
import {
  type CrossedEndpoint,
  type DeliveryVerdict,
  recordVerdicts,
} from '../statements/verdicts.ts'
import { tellEndpoint, tellError, type WebhookEndpointMessage } from '../telemetry/channels.ts'

export interface VerdictRecorder {
  /**
   * Resolves when the verdict is on record, or when it can no longer be recorded: its lease has
   * ended, or the pool was ended. Never rejects.
   */
  record(verdict: DeliveryVerdict, leaseEnd: number): Promise<void>
}

interface WaitingVerdict {
  readonly verdict: DeliveryVerdict
  readonly leaseEnd: number
  done(): void
}

/**
 * Writes verdicts with one statement at a time. Verdicts that arrive while a statement runs share
 * the next one, so the busier a worker is, the fewer statements each verdict costs. If the database
 * refuses what a statement says, the next one has half as many verdicts, so that one which cannot
 * be written does not keep back those beside it.
 */
export function verdictRecorder(options: ResolvedOptions): VerdictRecorder {
  let waiting: WaitingVerdict[] = []
  let writing = false
  let most = MOST

  return {
    record: (verdict, leaseEnd) =>
      new Promise((done) => {
        waiting.push({ verdict, leaseEnd, done })
        if (!writing) void writeAll()
      }),
  }

  async function writeAll(): Promise<void> {
    writing = true
    while (waiting.length > 0) {
      // Attempts that end during this pause share the statement and its commit.
      await sleep(GATHER_MS)
      const size = batchSizeOf(waiting.slice(0, most))
      const batch = waiting.slice(0, size)
      waiting = waiting.slice(size)
      const end = await write(batch)
      if (end === 'refused') most = Math.max(1, Math.floor(batch.length / 2))
      else most = Math.min(MOST, most * 2)
      if (end === 'written') continue
      if (end === 'hopeless') {
        for (const { done } of [...batch, ...waiting]) done()
        waiting = []
        break
      }
      // The database may recover, and until the leases end no other worker sends these deliveries.
      await sleep(RETRY_MS)
      // One that is refused alone lets the others go first.
      const isBad = end === 'refused' && batch.length === 1
      waiting = (isBad ? [...waiting, ...batch] : [...batch, ...waiting]).filter(isStillLeased)
    }
    writing = false
  }

  async function write(
    batch: readonly WaitingVerdict[],
  ): Promise<'written' | 'refused' | 'unanswered' | 'hopeless'> {
    try {
      const statement = recordVerdicts(
        options.schema,
        batch.map(({ verdict }) => verdict),
        options.policy,
      )
      const rows = await options.sql.query(statement, { timeoutMs: TIMEOUT_MS })
      for (const { done } of batch) done()
      for (const { crossed } of rows) void report(JSON.parse(crossed))
      return 'written'
    } catch (error) {
      const deliveryIds = batch.map(({ verdict }) => verdict.id)
      tellError({ error, during: 'settle', deliveryIds })
      if (isPoolEnded(error)) return 'hopeless'
      return REFUSALS.test(sqlState(error) ?? '') ? 'refused' : 'unanswered'
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

/**
 * How many of the waiting verdicts go into one statement: at most `MOST`, as many as stay below
 * `MOST_BYTES`, and at least one. The size of a verdict is that of the response body it contains,
 * up to `maxResponseBytes`, plus that of the headers and certificates with which the delivery was
 * sent.
 */
function batchSizeOf(waiting: readonly WaitingVerdict[]): number {
  let bytes = 0
  for (const [index, { verdict }] of waiting.slice(0, MOST).entries()) {
    const { body, sent } = verdict
    for (const long of [body, sent.headers, sent.tls]) bytes += long?.length ?? 0
    bytes += OTHER_BYTES
    if (bytes > MOST_BYTES) return Math.max(index, 1)
  }
  return Math.min(waiting.length, MOST)
}

/** Gives up a verdict whose lease has ended: another worker may be sending the delivery by now. */
function isStillLeased({ leaseEnd, done }: WaitingVerdict): boolean {
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

/** SQLSTATEs of data that is refused: sent again, it is refused again. */
const REFUSALS = /^2[23]/
const MOST = 200
const MOST_BYTES = 4 * 1024 * 1024
/** What a verdict has besides: ids, words, a URL and a message of up to 500 characters. */
const OTHER_BYTES = 3_072
const GATHER_MS = 10
const RETRY_MS = 200
const TIMEOUT_MS = 10_000
