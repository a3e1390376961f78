import type { ServerResponse } from 'node:http'
import type { Store } from '@oncekey/core'
import type { PoolClient } from 'pg'
import { limits } from '../../limits.ts'
import { type Answer, type OrderRequest, placeOrder, type Shop } from '../place-order.ts'

/** What a framework needs to sell: the options of its adapter, the handler and the port. */
export interface ShopFront {
  readonly engine: ReturnType<typeof engineOf>
  place(order: OrderRequest, context: Parameters<typeof placeOrder>[1]): Promise<Answer>
  readonly port: number
  /** How many connections are not back in the pool. */
  leftOver(): number
}

/** Serves `POST /orders` and `GET /left-over` with one framework. */
export type ServeWith = (front: ShopFront) => Promise<unknown>

export function shopFront(
  store: Store<PoolClient>,
  { port, leftOver, ...shop }: Pick<ShopFront, 'port' | 'leftOver'> & Pick<Shop, 'gatewayUrl'>,
): ShopFront {
  const { transactions } = store.capabilities
  return {
    engine: engineOf(store),
    place: (order, context) => placeOrder(order, context, { ...shop, transactions }),
    port,
    leftOver,
  }
}

function engineOf(store: Store<PoolClient>) {
  const { handlerTimeoutMs, leaseMs, waitMs } = limits
  const scope = 'dangerously-shared'
  return { store, scope, handlerTimeoutMs, leaseMs, waitMs } as const
}

/**
 * Sends an answer from one buffer, as an encoder that reuses its buffer does: the next line of code
 * overwrites it with another text.
 */
export function sendFromScratch(res: ServerResponse, status: number, body: object): void {
  const length = scratch.write(JSON.stringify(body))
  res.writeHead(status, { 'content-type': JSON_TYPE }).end(scratch.subarray(0, length))
  scratch.fill('#')
}

export const JSON_TYPE = 'application/json; charset=utf-8'
export const FAILED = { error: 'This order failed.' }

const scratch = Buffer.alloc(4_096)
