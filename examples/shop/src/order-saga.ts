import { backoff } from '@oncekey/outbox'
import { PermanentError, saga } from '@oncekey/saga'
import type { Tx } from './database.ts'
import type { Outside } from './outside-client.ts'

export interface Order {
  readonly id: string
  readonly customer: string
  readonly item: string
  readonly cents: number
  readonly card: string
  readonly address: string
}

/**
 * The critical steps are orchestrated; stock, e-mail and webhooks follow from the events it emits.
 */
export function orderSaga(outside: Outside) {
  const retry = { maxAttempts: 30, backoff: backoff({ baseMs: 20, capMs: 500 }) }
  return saga<Order, Tx>('order', { version: 1 })
    .step('accept', {
      local: true,
      run: ({ input, transaction }) => setState(transaction, input, 'accepted'),
      async compensate({ input, transaction, emit }) {
        await setState(transaction, input, 'cancelled')
        emit({ type: 'order.cancelled', subject: input.id, data: input })
      },
    })
    .step('charge', {
      retry,
      compensationRetry: retry,
      async run({ input, idempotencyKey, signal }) {
        const { id, cents, card } = input
        const answer = await outside.post('/charges', { id, cents, card }, idempotencyKey, signal)
        if (answer.status === 402) throw new PermanentError('card declined')
      },
      // Works even if we do not know whether the card was charged, because the gateway knows.
      compensate: async ({ input, idempotencyKey, signal }) =>
        void (await outside.post('/refunds', { id: input.id }, idempotencyKey, signal)),
    })
    .step('ship', {
      kind: 'pivot',
      retry,
      async run({ input, idempotencyKey, signal }) {
        const { id, address } = input
        const answer = await outside.post('/shipments', { id, address }, idempotencyKey, signal)
        // The carrier keeps the keys: had an earlier attempt been taken, it would say so again.
        const ofEveryAttempt = true
        if (answer.status === 422) throw new PermanentError('no such address', { ofEveryAttempt })
      },
    })
    .step('confirm', {
      kind: 'retriable',
      local: true,
      retry,
      async run({ input, transaction, emit }) {
        await setState(transaction, input, 'confirmed')
        emit({ type: 'order.confirmed', subject: input.id, data: input })
      },
    })
}

async function setState(transaction: () => Promise<Tx>, { id }: Order, state: string) {
  const tx = await transaction()
  await tx.query('update orders set state = $2 where id = $1', [id, state])
}
