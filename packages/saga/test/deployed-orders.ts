import { setTimeout as pause } from 'node:timers/promises'
import { type AnySaga, saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import type { Gateway } from './order-saga.ts'

/**
 * The saga in two releases; the second one adds a notification step. Steps take a short random
 * time.
 */
export function deployedOrders(gateway: Gateway): { first: Release; second: Release } {
  const write =
    (step: string) =>
    async ({ runId, transaction }: { runId: string; transaction(): Promise<PoolClient> }) => {
      const tx = await transaction()
      await pause(Math.random() * 30)
      await tx.query('insert into effects values ($1, $2)', [runId, step])
    }
  const call =
    (action: string) =>
    async ({ runId, idempotencyKey }: { runId: string; idempotencyKey: string }) => {
      await pause(Math.random() * 30)
      const answer = await gateway.call(action, runId, idempotencyKey)
      await pause(Math.random() * 30)
      return answer
    }
  const begin = (version: number) =>
    saga<null, PoolClient>('deployed-order', { version })
      .step('create', { local: true, run: write('create'), compensate: write('cancel') })
      .step('charge', { run: call('charge'), compensate: call('refund') })
  return {
    first: begin(1).step('confirm', { local: true, run: write('confirm') }),
    second: begin(2)
      .step('notify', { run: call('notify') })
      .step('confirm', { local: true, run: write('confirm') }),
  }
}

export type Release = AnySaga<PoolClient>
