import { randomUUID } from 'node:crypto'
import { memoryStore, type StoredResponse } from '@oncekey/core'
import { answer } from '../verbs.ts'

/** Nobody aborts. */
const { signal } = new AbortController()

const verbs = {
  /** Bytes the process grew by, garbage collected before and after. */
  async fill(records: number): Promise<{ bytes: number; responseBytes: number }> {
    const store = memoryStore({ maxRecords: records })
    // What a first record allocates once is not a record's.
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
    // Reached after the measurement, so the store is not collected before it.
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
  // Once is not enough: what the first finds in the young generation, the second moves or frees.
  for (let times = 0; times < 3; times += 1) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
