import { uptime } from 'node:os'
import { type Allocation, allocationsOf, asyncResourcesOf } from '../request-costs/allocations.ts'
import { type AppName, startApp } from '../request-costs/apps.ts'
import type { InProcessClient } from '../request-costs/in-process-client.ts'
import { type StoreName, workOn } from '../request-costs/work.ts'
import { answer } from '../verbs.ts'

let client: InProcessClient | undefined
let sent = 0
let keyOf: (index: number) => string = String

const verbs = {
  async open(app: AppName, store: StoreName, kind: RequestKind, url: string): Promise<void> {
    client = await startApp(app, workOn(store, kind === 'bare', { url, connections: 1 }))
    if (kind === 'replay') keyOf = (index) => `key-${index % 10}`
    else keyOf = (index) => `key-${store}-${app}-${kind}-${index}`
  },

  async send(requests: number): Promise<void> {
    await send(requests)
  },

  /** A call of `uv_uptime`, at which a profiler of the process writes down what it has counted. */
  mark(): void {
    uptime()
  },

  /** Bytes of the heap that a request takes. Exact while no garbage is collected. */
  async heapBytes(requests: number): Promise<number> {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    await send(requests)
    return process.memoryUsage().heapUsed - before
  },

  allocations: (requests: number): Promise<Allocation[]> => allocationsOf(() => send(requests)),

  async asyncResources(requests: number): Promise<Record<string, number>> {
    return Object.fromEntries(await asyncResourcesOf(() => send(requests)))
  },

  async writes(requests: number): Promise<number> {
    const before = client?.writes() ?? 0
    await send(requests)
    return (client?.writes() ?? 0) - before
  },
}

export type RequestKind = 'bare' | 'fresh' | 'replay'
export type CountedRequests = typeof verbs

answer(verbs)

async function send(requests: number): Promise<void> {
  for (let left = requests; left > 0; left -= 1) {
    const status = await client?.post(keyOf(sent))
    if (status !== 201) throw new Error(`an order was answered ${status}`)
    sent += 1
  }
}
