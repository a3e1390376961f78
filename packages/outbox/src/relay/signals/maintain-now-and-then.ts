import {
  CLOSING_MS,
  callLater,
  type EventLog,
  endsWithin,
  type Maintenance,
  tell,
  warnOnce,
} from '@oncekey/core'

/**
 * Maintains the log at intervals until it is stopped. A stop waits half a second at most for the
 * maintenance that is under way, and nothing is reported of it afterwards: the pool may have been
 * ended by then.
 */
export function maintainNowAndThen(
  { log, maintainEveryMs }: { log: Pick<EventLog, 'maintain'>; maintainEveryMs: number },
  failed: (error: unknown) => void,
): { stop(): Promise<void> } {
  if (maintainEveryMs === 0) return { stop: async () => {} }
  let over = false
  let maintaining: Promise<void> = Promise.resolve()
  let timer = callLater(next, maintainEveryMs * Math.random()).unref()

  return {
    async stop() {
      timer.cancel()
      await endsWithin(maintaining, CLOSING_MS)
      over = true
      timer.cancel()
    },
  }

  function next(): void {
    maintaining = maintain().then(() => {
      if (!over) timer = callLater(next, maintainEveryMs).unref()
    })
  }

  async function maintain(): Promise<void> {
    try {
      const maintenance = await log.maintain()
      if (!over) reportConsumers(maintenance)
    } catch (error) {
      if (!over) failed(error)
    }
  }
}

function reportConsumers({ missing, abandoned }: Maintenance): void {
  for (const { consumer, lastSeenAt } of missing) {
    const text =
      `No relay has run consumer "${consumer}" since ${lastSeenAt.toISOString()}, and the log keeps ` +
      'events for it. If it was removed or renamed, call `await log.retire(name)`.'
    const ageMs = Date.now() - lastSeenAt.getTime()
    const heard = tell('oncekey:alert', () => ({
      source: 'consumers',
      kind: 'missing-consumer',
      about: consumer,
      value: ageMs,
      threshold: 0,
      text,
    }))
    if (!heard) warnOnce(`missing-consumer:${consumer}`, text)
  }
  for (const consumer of abandoned) {
    warnOnce(
      `abandoned-consumer:${consumer}`,
      `Consumer "${consumer}" has been missing for so long that the log no longer keeps events for it.`,
    )
  }
}
