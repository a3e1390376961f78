import { randomUUID } from 'node:crypto'
import { type EventLog, outboxEvent } from '@oncekey/core'
import { waitFor } from '@oncekey/test-servers'
import type { EventBooks } from './books.ts'
import type { ConsumerPlan } from './consumed.ts'
import { readTaken } from './delivery-ledger.ts'
import type { RelayProcess } from './relay-process.ts'

/**
 * Checks the cursors: new events are appended in every slot, and a relay that starts after all
 * others have stopped must find only these. Returns the older events that it delivered again.
 */
export async function deliveredAgain({
  log,
  books,
  consumers,
  ledger,
  startRelay,
}: {
  readonly log: Pick<EventLog, 'append'>
  readonly books: EventBooks
  readonly consumers: readonly ConsumerPlan[]
  readonly ledger: string
  startRelay(): Promise<RelayProcess>
}): Promise<string[]> {
  const before = readTaken(ledger)
  const known = new Set((await books.events()).map(({ id }) => id))
  const fresh = Array.from({ length: 640 }, (_, at) =>
    outboxEvent(
      { type: 'order.shipped', orderingKey: randomUUID(), data: { mark: `afterwards-${at}` } },
      { source: '/campaign', traceparent: undefined },
    ),
  )
  await log.append(fresh)
  const relay = await startRelay()
  try {
    await waitFor(async () => (await books.unsettled(consumers).catch(() => [''])).length === 0, {
      what: 'the relay that came last to have delivered what came last',
      timeoutMs: 120_000,
      intervalMs: 300,
    })
    await relay.end(20_000)
  } finally {
    await relay.stop()
  }
  return [...readTaken(ledger)].flatMap(([consumer, ids]) =>
    ids
      .slice(before.get(consumer)?.length ?? 0)
      .filter((id) => known.has(id))
      .map((id) => `${consumer}: ${id}`),
  )
}
