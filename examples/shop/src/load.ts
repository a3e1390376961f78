import { randomUUID } from 'node:crypto'
import { createFetch } from '@oncekey/client'

export interface Load {
  readonly requests: number
  readonly lost: number
}

/** Customers who order, each with one key, and retry until they get an answer. */
export async function placeOrders(options: {
  readonly orders: number
  /** Collects the orders for which a client has a success. */
  readonly placed: string[]
  readonly customer: string
  /** Returns the server for each request, because servers come and go. */
  readonly url: () => string
}): Promise<Load> {
  let requests = 0
  let lost = 0
  let next = 0

  // Every seventh answer is lost on its way.
  const lossy: typeof fetch = async (input, init) => {
    requests++
    const url = String(input instanceof Request ? input.url : input)
    const to = options.url() + new URL(url).pathname
    const response = await fetch(input instanceof Request ? new Request(to, input) : to, init)
    if (Math.random() >= 1 / 7) return response
    lost++
    await response.body?.cancel()
    throw new TypeError('the answer was lost')
  }
  const ask = createFetch({
    fetch: lossy,
    maxAttempts: 1_000,
    baseDelayMs: 50,
    maxDelayMs: 500,
    deadlineMs: 600_000,
  })

  async function one(): Promise<void> {
    while (next < options.orders) {
      const n = next++
      const response = await ask('http://shop/orders', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-customer': options.customer },
        body: JSON.stringify({
          item: 'kettle',
          cents: 4_900,
          card: n % 6 === 4 ? 'declined' : 'good',
          address: n % 6 === 5 ? 'nowhere' : `street ${n}`,
        }),
        idempotencyKey: randomUUID(),
      })
      if (response.status !== 201) throw new Error(`An order was answered ${response.status}`)
      options.placed.push(((await response.json()) as { id: string }).id)
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
  return { requests, lost }
}
