// A server of every adapter that is there to be killed, or the one that comes after it. When a request
// is where it stops, it says so on a line.
import { randomUUID } from 'node:crypto'
import type { ServeSite, SiteHandler } from '@oncekey/conformance'
import type { Store, WhenUnknown } from '@oncekey/core'
import express from 'express'
import { fastify } from 'fastify'
import { serveWith as serveWithExpress } from '../../../../packages/express/test/serve-with-express.ts'
import { serveWith as serveWithFastify } from '../../../../packages/fastify/test/serve-with-fastify.ts'
import { serveWithFetch } from '../../../../packages/web/test/serve-with-fetch.ts'
import { serveWithHono } from '../../../../packages/web/test/serve-with-hono.ts'
import { pointOf } from '../points.ts'
import { openStore } from './open-store.ts'
import {
  ADAPTERS,
  type Adapter,
  LEASE_MS,
  largeBytes,
  NEVER_MS,
  type OrderRequest,
  type ServerOptions,
} from './server-options.ts'

const options: ServerOptions = JSON.parse(process.argv[2] ?? '')
const { store, write } = await openStore(options)
const largest = largeBytes()

const handler: SiteHandler = async ({ context, body }) => {
  const { order, large, outside } = body as OrderRequest
  const receipt = randomUUID()
  await reached('claimed', context.key)
  await write(context, { order, receipt, step: 'ordered' }, outside)
  await reached('written', context.key)
  await write(context, { order, receipt, step: 'paid' }, outside)
  context.emit({ type: 'order.placed', subject: order, data: { receipt } })
  const answer = JSON.stringify({ receipt, attempt: context.attempt })
  return {
    status: 201,
    headers: [['content-type', 'application/json']],
    body: { kind: 'bytes', bytes: Buffer.from(answer.padEnd(large ? largest : 0)) },
  }
}

const adapters: Record<Adapter, ServeSite> = {
  express: serveWithExpress(express),
  fastify: serveWithFastify(fastify),
  fetch: serveWithFetch,
  hono: serveWithHono,
}
const serving = await Promise.all(
  ADAPTERS.map(async (adapter) => {
    const [retake, hold] = await Promise.all([serve(adapter, 'retake'), serve(adapter, 'hold')])
    return [adapter, { retake, hold }] as const
  }),
)
console.log(JSON.stringify({ ready: true, ...Object.fromEntries(serving) }))

async function serve(adapter: Adapter, whenUnknown: WhenUnknown): Promise<string> {
  const { url } = await adapters[adapter]({
    options: {
      store: stopping(store),
      whenUnknown,
      leaseMs: LEASE_MS,
      handlerTimeoutMs: NEVER_MS,
      maxResponseBytes: largest * 2,
    },
    scope: 'dangerously-shared',
    fingerprint: undefined,
    outside: () => ({}),
    routes: [{ method: 'POST', path: '/orders', handler }],
  })
  return `${url}/orders`
}

/** Stays here for ever if this is where the request is to be when the process dies. */
async function reached(point: string, key: string | undefined): Promise<void> {
  if (!options.stops || key === undefined || pointOf(key) !== point) return
  console.log(`reached ${key}`)
  await new Promise(() => {})
}

/** The store, with a stop behind its completion. */
function stopping(store: Store): Store {
  return {
    ...store,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      const { attempt } = decision
      const complete: typeof attempt.complete = async (completion) => {
        const outcome = await attempt.complete(completion)
        await reached('committed', claim.key)
        return outcome
      }
      return { kind: 'run', attempt: { ...attempt, complete } }
    },
  }
}
