import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HandlerContext } from '@oncekey/core'
import type { PoolClient } from 'pg'
import { type OrderKind, outcomeOf } from '../order.ts'

export interface OrderRequest {
  readonly order: string
  readonly kind: OrderKind
  readonly takesMs: number
}

export interface Answer {
  readonly status: number
  readonly body: { readonly order: string; readonly receipt: string; readonly attempt: number }
}

/** What surrounds a handler: the external gateway, and whether its store has transactions. */
export interface Shop {
  readonly gatewayUrl: string
  readonly transactions: boolean
}

/**
 * The handler of all servers. The receipt is random, so a handler that ran twice leaves two; its
 * outside effect, the charge, uses the derived key, as the docs ask.
 */
export async function placeOrder(
  { order, kind, takesMs }: OrderRequest,
  context: HandlerContext<PoolClient>,
  shop: Shop,
): Promise<Answer> {
  const receipt = randomUUID()
  await charge(shop.gatewayUrl, order, context)
  if (shop.transactions) {
    const tx = await context.transaction()
    if (Math.random() < 0.3) await tx.query('set local role shopkeeper')
    await tx.query('insert into effects (key, receipt) values ($1, $2)', [order, receipt])
  }
  context.emit({ type: 'order.placed', subject: order, data: { receipt } })
  if (takesMs > 0) await sleep(takesMs)
  if (kind === 'flaky' && Math.random() < 0.5) throw new Error('This order fails now and then.')
  if (kind === 'declined') context.keep()
  const { status } = outcomeOf(kind)
  return { status, body: { order, receipt, attempt: context.attempt } }
}

async function charge(
  gatewayUrl: string,
  order: string,
  { deriveKey, signal }: HandlerContext<PoolClient>,
): Promise<void> {
  const response = await fetch(gatewayUrl, {
    method: 'POST',
    headers: { 'idempotency-key': deriveKey('charge') },
    body: order,
    signal,
  })
  await response.arrayBuffer()
}
