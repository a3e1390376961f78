// A server with every adapter, which tests kill, or the server that replaces it. When a request has
// reached the point at which it has to stop, the server prints a line.
import { randomUUID } from 'node:crypto'
import type { ServeSite, SiteHandler } from '@oncekey/conformance'
import type { Store, WhenUnknown } from '@oncekey/core'
import { pointOf } from '../points.ts'
import { openStore } from './open-store.ts'
import {
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

const serving = await Promise.all(
  options.adapters.map(async (adapter) => {
    const serveSite = await adapterOf(adapter)
    const [retake, hold] = await Promise.all([serve(serveSite, 'retake'), serve(serveSite, 'hold')])
    return [adapter, { retake, hold }] as const
  }),
)
console.log(JSON.stringify({ ready: true, ...Object.fromEntries(serving) }))

async function serve(serveSite: ServeSite, whenUnknown: WhenUnknown): Promise<string> {
  const { url } = await serveSite({
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

/**
 * Waits for ever if the key says that the process has to die while the request is at this point.
 */
async function reached(point: string, key: string | undefined): Promise<void> {
  if (!options.stops || key === undefined || pointOf(key) !== point) return
  console.log(`reached ${key}`)
  await new Promise(() => {})
}

/** The store, with a point to stop after its completion. */
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

async function adapterOf(adapter: Adapter): Promise<ServeSite> {
  switch (adapter) {
    case 'express': {
      const { serveWith } = await import(
        '../../../../packages/express/test/support/serve-with-express.ts'
      )
      return serveWith((await import('express')).default)
    }
    case 'fastify': {
      const { serveWith } = await import('../../../../packages/fastify/test/serve-with-fastify.ts')
      return serveWith((await import('fastify')).fastify)
    }
    case 'fetch':
      return (await import('../../../../packages/web/test/serve-with-fetch.ts')).serveWithFetch
    case 'hono':
      return (await import('../../../../packages/web/test/serve-with-hono.ts')).serveWithHono
  }
}
