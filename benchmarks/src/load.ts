import { quantile } from './median.ts'

/** The results of a number of requests. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

/**
 * Sends `requests` with `concurrency` of them under way: as soon as one is answered, the next one
 * starts.
 */
export async function closedLoop(
  { requests, concurrency }: { requests: number; concurrency: number },
  send: (index: number) => Promise<void>,
): Promise<Load> {
  const latencies: number[] = []
  let next = 0

  async function sendAll(): Promise<void> {
    while (next < requests) {
      const index = next
      next += 1
      const sentAt = performance.now()
      await send(index)
      latencies.push(performance.now() - sentAt)
    }
  }

  const startedAt = performance.now()
  await Promise.all(Array.from({ length: concurrency }, sendAll))
  return summary(latencies, performance.now() - startedAt)
}

/**
 * Sends at a fixed rate, however long answers take, until it is stopped. A request's latency counts
 * from when it was due, so that a stall shows in every request that was due during it. `onEnd` gets
 * each result, with what `send` returned.
 */
export async function openLoop<End>(
  { perSecond, until }: { perSecond: number; until: Promise<unknown> },
  send: (index: number) => Promise<End>,
  onEnd: (latencyMs: number, end: End) => void = () => {},
): Promise<Load> {
  const latencies: number[] = []
  const underWay = new Set<Promise<void>>()
  const startedAt = performance.now()
  let stopped = false
  const stop = () => {
    stopped = true
  }
  until.then(stop, stop)

  for (let sent = 0; !stopped; ) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
    for (; sent < due; sent += 1) {
      const dueAt = startedAt + (sent / perSecond) * 1000
      const sending = send(sent).then((end) => {
        const latencyMs = performance.now() - dueAt
        latencies.push(latencyMs)
        onEnd(latencyMs, end)
        underWay.delete(sending)
      })
      underWay.add(sending)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(underWay)
  return summary(latencies, performance.now() - startedAt)
}

function summary(latencies: readonly number[], milliseconds: number): Load {
  return {
    requests: latencies.length,
    seconds: milliseconds / 1000,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }
}
