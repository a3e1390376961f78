import { randomUUID } from 'node:crypto'
import { memoryStore, type StoredResponse } from '@oncekey/core'
import { answer } from '../verbs.ts'

/** A signal that never aborts. */
const { signal } = new AbortController()

const verbs = {
  /** The growth of the process, with garbage collected before and after. Bytes. */
  async fill(records: number): Promise<{ bytes: number; responseBytes: number }> {
    const store = memoryStore({ maxRecords: records })
    // One-time allocations of the first record do not count.
    const warmUp = memoryStore()
    for (let index = 0; index < 1_000; index += 1) await complete(warmUp, responseOf(index))

    let responseBytes = 0
    const before = used()
    for (let index = 0; index < records; index += 1) {
      const response = responseOf(index)
      responseBytes += bytesOf(response)
      await complete(store, response)
    }
    const bytes = used() - before
    // Refers to the store after the measurement, so that it is not garbage-collected before.
    if (!store.data) throw new Error('the store is gone')
    return { bytes, responseBytes }
  },
}

export type MemoryFiller = typeof verbs

answer(verbs)

async function complete(store: ReturnType<typeof memoryStore>, response: StoredResponse) {
  const decision = await store.begin({
    namespace: 'http',
    scope: 'account-1',
    key: randomUUID(),
    fingerprints: [
      `json1:${Buffer.from(randomUUID() + randomUUID())
        .toString('base64url')
        .slice(0, 43)}`,
    ],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal,
  })
  if (decision.kind !== 'run') throw new Error(`expected to run, and was told ${decision.kind}`)
  await decision.attempt.complete({ response, events: [], writes: 'keep' })
}

function responseOf(index: number): StoredResponse {
  const body = JSON.stringify({ id: `order-${index}`, customer: 'customer-17', state: 'placed' })
  return {
    status: 201,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body: Buffer.from(body),
    seal: null,
  }
}

function bytesOf({ headers, body }: StoredResponse): number {
  const headerBytes = headers.reduce(
    (sum, [name, value]) => sum + name.length + (value ?? '').length,
    0,
  )
  return headerBytes + (body?.length ?? 0)
}

function used(): number {
  // One collection is not enough: objects that are in the young generation at the first are moved
  // or freed by the second.
  for (let times = 0; times < 3; times += 1) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
