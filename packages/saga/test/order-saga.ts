import { backoff } from '@oncekey/outbox'
import { PermanentError, type Saga, saga } from '@oncekey/saga'
import type { ClientBase } from 'pg'

/** Tables that the steps of orders write. They count effects, so that a repeated effect shows. */
export const ORDERS_TABLES = `
  create table orders (id text primary key, state text not null, charge text);
  create table stock (id text primary key, left_over integer not null);
  insert into stock values ('kettle', 100000);
  create table effects (run text not null, step text not null)`

export interface OrderInput {
  readonly item: string
  /** The step that fails for good, if any. */
  readonly failAt?: string
}

/** A system that moves money or parcels. Calls with the same key have one effect. */
export interface Gateway {
  call(action: string, runId: string, idempotencyKey: string): Promise<{ reference: string }>
}

/** Called at a point of a step, where a test can pause or kill the process. */
export type Checkpoint = (name: string, runId: string) => Promise<void> | void

/** The points where `orderSaga` calls its checkpoint: before and after the work of each step. */
export const FORWARD = [
  'before create-order',
  'in create-order',
  'before charge',
  'after charge',
  'in charge',
  'before reserve-stock',
  'in reserve-stock',
  'before ship',
  'after ship',
  'before confirm',
  'in confirm',
]
export const BACKWARD = [
  'before recall',
  'after recall',
  'before restore-stock',
  'in restore-stock',
  'before refund',
  'after refund',
  'before cancel-order',
  'in cancel-order',
]

/**
 * Five steps: two local, two outside, one local that emits an event. The last one fails on request.
 */
export function orderSaga(
  gateway: Gateway,
  at: Checkpoint = () => {},
): Saga<OrderInput, { readonly 'create-order': { readonly id: string } }, ClientBase, string> {
  const quick = { backoff: backoff({ baseMs: 1, capMs: 5 }) }
  return saga<OrderInput, ClientBase>('order', { version: 1 })
    .step('create-order', {
      local: true,
      retry: quick,
      async run({ input, runId, transaction }) {
        await at('before create-order', runId)
        const tx = await transaction()
        await tx.query(`insert into orders values ($1, 'placed')`, [runId])
        await effect(tx, runId, 'create-order')
        await at('in create-order', runId)
        refuse(input, 'create-order')
        return { id: runId }
      },
      async compensate({ runId, transaction }) {
        await at('before cancel-order', runId)
        const tx = await transaction()
        await tx.query(`update orders set state = 'cancelled' where id = $1`, [runId])
        await effect(tx, runId, 'cancel-order')
        await at('in cancel-order', runId)
      },
    })
    .step('charge', {
      retry: quick,
      async run({ input, runId, idempotencyKey, transaction }) {
        await at('before charge', runId)
        refuse(input, 'charge')
        const { reference } = await gateway.call('charge', runId, idempotencyKey)
        await at('after charge', runId)
        const tx = await transaction()
        await tx.query('update orders set charge = $2 where id = $1', [runId, reference])
        await effect(tx, runId, 'charge')
        await at('in charge', runId)
        return { reference }
      },
      async compensate({ runId, idempotencyKey }) {
        await at('before refund', runId)
        await gateway.call('refund', runId, idempotencyKey)
        await at('after refund', runId)
      },
    })
    .step('reserve-stock', {
      local: true,
      retry: quick,
      async run({ input, runId, transaction }) {
        await at('before reserve-stock', runId)
        const tx = await transaction()
        await tx.query('update stock set left_over = left_over - 1 where id = $1', [input.item])
        await effect(tx, runId, 'reserve-stock')
        await at('in reserve-stock', runId)
        refuse(input, 'reserve-stock')
      },
      async compensate({ input, runId, transaction }) {
        await at('before restore-stock', runId)
        const tx = await transaction()
        await tx.query('update stock set left_over = left_over + 1 where id = $1', [input.item])
        await effect(tx, runId, 'restore-stock')
        await at('in restore-stock', runId)
      },
    })
    .step('ship', {
      retry: quick,
      async run({ input, runId, idempotencyKey }) {
        await at('before ship', runId)
        refuse(input, 'ship')
        const { reference } = await gateway.call('ship', runId, idempotencyKey)
        await at('after ship', runId)
        return { reference }
      },
      async compensate({ runId, idempotencyKey }) {
        await at('before recall', runId)
        await gateway.call('recall', runId, idempotencyKey)
        await at('after recall', runId)
      },
    })
    .step('confirm', {
      local: true,
      retry: quick,
      async run({ input, runId, state, transaction, emit }) {
        await at('before confirm', runId)
        const tx = await transaction()
        await tx.query(`update orders set state = 'ready' where id = $1`, [runId])
        await effect(tx, runId, 'confirm')
        emit({ type: 'order.ready', subject: runId, data: { charge: state.charge.reference } })
        await at('in confirm', runId)
        refuse(input, 'confirm')
      },
    })
    .result(({ state }) => state.charge.reference)
}

async function effect(tx: ClientBase, run: string, step: string): Promise<void> {
  await tx.query('insert into effects values ($1, $2)', [run, step])
}

function refuse({ failAt }: OrderInput, step: string): void {
  if (failAt === step) throw new PermanentError(`${step} refused`, { details: { step } })
}
