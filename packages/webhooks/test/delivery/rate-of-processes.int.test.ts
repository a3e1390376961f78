import type { ServerResponse } from 'node:http'
import { startNode, waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

test('two processes share the rate of an endpoint, as the receiver counts it', async () => {
  const rate = 0.5
  const count = 6
  const hooks = database.hooks()
  const arrivals: number[] = []
  // Each process has at most one delivery under way, so two held responses come from both
  // processes.
  const held: ServerResponse[] = []
  let most = 0
  const receiver = await startReceiver((_, response) => {
    arrivals.push(performance.now())
    held.push(response)
    most = Math.max(most, held.length)
    if (most < 2) return
    for (const one of held.splice(0)) one.writeHead(204).end()
  })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'], rate })
  for (let n = 0; n < 2; n += 1) {
    const worker = await startNode(new URL('../servers/worker-process.ts', import.meta.url), {
      env: { DATABASE_URL: database.url(), TIMEOUT_MS: '60000', ENDPOINT_CONCURRENCY: '1' },
      readyTimeoutMs: 120_000,
    })
    onTestFinished(() => worker.kill())
  }
  // The time is taken before anything is due: an arrival may be late, but never early.
  const began = performance.now()
  await fanOut(
    hooks,
    database.pool(),
    Array.from({ length: count }, () => eventOf()),
  )
  await waitFor(() => arrivals.length === count, { what: 'all', timeoutMs: 60_000 })
  expect(most).toBe(2)
  const tooMany = arrivals.filter((at, before) => before > ((at - began) / 1000) * rate + 1)
  expect(tooMany).toEqual([])
})
