import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { type Consumer, createRelay } from '@oncekey/outbox'

/** Options of a relay that does everything at once. */
export const quick = { leaseMs: 1_500, minPollMs: 1, maxPollMs: 10, advanceEveryMs: 1 } as const

/** A log in memory, what appends events for subjects, and what makes a relay of one consumer. */
export function logOf(now?: () => number) {
  const log = memoryLog(memoryStore(), now === undefined ? {} : { now })
  const emit = (...subjects: string[]) =>
    log.append(
      subjects.map((subject) =>
        outboxEvent({ type: 'order.created', subject }, { source: '/', traceparent: undefined }),
      ),
    )
  const relay = (of: Consumer<any>) => createRelay({ ...quick, log, consumers: [of] })
  return { log, emit, relay }
}

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Lets everything run that waits for no timer and no server. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
