import { createEngine, type EngineRequest } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { postgresStore } from '@oncekey/postgres'
import type { ClientBase } from 'pg'
import type { Contender, ContenderOptions, PlaceRequest } from './contender.ts'
import { insertOrder, type Order, type PlacedOrder } from './order.ts'

/**
 * Oncekey, used as the documentation shows. Without HTTP, `place` calls the engine and the store.
 */
export function oncekey({ pool, event, prepare }: ContenderOptions): Contender {
  const store = postgresStore<ClientBase>({ client: pool, prepare })
  const engine = createEngine({ store, required: false })

  return {
    mount(app) {
      const once = idempotency({ store, scope: () => 'account-1' })
      app.post('/orders', once, async (req, res) => {
        const { transaction, emit } = once.of(req)
        const placed = await insertOrder(await transaction(), req.body as Order)
        if (event) emit(orderPlaced(placed))
        res.status(201).json(placed)
      })
    },

    async place(request) {
      const begun = await engine.begin(engineRequest(request))
      if (begun.kind !== 'run') return begun.response.status
      const { run } = begun
      const placed = await insertOrder(await run.context.transaction(), request.order)
      if (event && !request.refused) run.context.emit(orderPlaced(placed))
      const status = request.refused ? 422 : 201
      const verdict = await run.complete({
        status,
        headers: [['content-type', 'application/json; charset=utf-8']],
        body: Buffer.from(JSON.stringify(placed)),
      })
      return verdict.kind === 'send' ? status : verdict.response.status
    },

    async hold(request) {
      const begun = await engine.begin(engineRequest(request))
      if (begun.kind !== 'run') throw new Error(`nothing to hold: ${begun.response.status}`)
      return () => begun.run.abandon()
    },
  }
}

const orderPlaced = (order: PlacedOrder) => ({
  type: 'order.placed',
  subject: order.id,
  data: order,
})

function engineRequest({ key, order }: PlaceRequest): EngineRequest {
  const method = 'POST'
  const target = '/orders'
  return {
    method,
    target,
    scope: 'account-1',
    header: (name) => (name === 'idempotency-key' && key !== undefined ? [key] : []),
    fingerprintInput: () => ({
      method,
      target,
      contentType: 'application/json',
      body: { kind: 'parsed', value: order },
    }),
  }
}
