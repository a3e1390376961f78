import { setTimeout as sleep } from 'node:timers/promises'
import { createFetch } from '@oncekey/client'
import type { FinalAnswer, Ledger } from './ledger.ts'
import { limits } from './limits.ts'
import { bodyOf, type Order } from './order.ts'

/**
 * Sends orders. Half of the shoppers use the client that retries, and half do it in the usual way
 * by hand.
 */
export interface Shopper {
  /**
   * Sends an order from as many clients as it says, each until it has an answer or the time is up.
   */
  place(order: Order): Promise<void>
  /**
   * Sends an order until there is an answer; returns `undefined` if there is none within
   * `withinMs`, and tells `refused` what came instead.
   */
  settle(
    order: Order,
    withinMs: number,
    refused?: (instead: string) => void,
  ): Promise<FinalAnswer | undefined>
}

/** `pickUrl` chooses the next server, like a load balancer without health checks. */
export function shopper(
  pickUrl: () => string,
  ledger: Ledger,
  { onRequest, misuses }: { readonly onRequest: () => void; readonly misuses: boolean },
): Shopper {
  const send: typeof fetch = (input, init) => {
    onRequest()
    const { pathname } = new URL(String(input))
    return fetch(`${pickUrl()}${pathname}`, init)
  }
  const retrying = createFetch({
    fetch: send,
    attemptTimeoutMs: limits.requestTimeoutMs,
    deadlineMs: 30_000,
    baseDelayMs: 50,
    maxDelayMs: 1_000,
  })

  async function place(order: Order): Promise<void> {
    const copies = Array.from({ length: order.copies }, (_, copy) =>
      (order.number + copy) % 2 === 0 ? withClient(order) : byHand(order, NAIVE_TRIES),
    )
    if (order.copies > 1) await hangUp(order)
    const answers = await Promise.all(copies)
    if (!answers.some(Boolean)) return
    if (order.again) await byHand(order, 1)
    if (order.misused && misuses) await misuse(order)
  }

  async function withClient(order: Order): Promise<FinalAnswer | undefined> {
    try {
      const response = await retrying(`http://shop/orders`, {
        ...requestOf(bodyOf(order)),
        idempotencyKey: order.key,
      })
      return await noted(order, response)
    } catch {
      // No answer came in time, so nothing is recorded in the ledger.
      return undefined
    }
  }

  async function byHand(order: Order, tries: number): Promise<FinalAnswer | undefined> {
    for (let attempt = 1; attempt <= tries; attempt++) {
      const answer = await once(order)
      if (answer !== undefined) return answer
      if (attempt < tries) await sleep(Math.min(25 * 2 ** attempt, 1_000))
    }
    return undefined
  }

  async function once(
    order: Order,
    refused: (instead: string) => void = () => {},
  ): Promise<FinalAnswer | undefined> {
    try {
      return await noted(order, await request(bodyOf(order), order.key), refused)
    } catch (error) {
      refused(String(error))
      return undefined
    }
  }

  /**
   * Sends the order and hangs up. The holder of the key is probably still running, so the server is
   * still waiting for it when this client disconnects.
   */
  async function hangUp(order: Order): Promise<void> {
    try {
      const response = await request(bodyOf(order), order.key, 10 + (order.number % 10) * 20)
      await noted(order, response)
    } catch {
      // The client has disconnected.
    }
  }

  async function misuse(order: Order): Promise<void> {
    try {
      const response = await request(bodyOf(order, '-and-another'), order.key)
      await response.arrayBuffer()
      if (response.status < 500) ledger.sawMisuse(order, response.status)
    } catch {
      // The answer was lost on the way.
    }
  }

  async function noted(
    order: Order,
    response: Response,
    refused: (instead: string) => void = () => {},
  ): Promise<FinalAnswer | undefined> {
    const body = await response.text()
    const contentType = response.headers.get('content-type')
    if (response.status >= 500 || contentType?.startsWith('application/problem+json')) {
      refused(`${response.status} ${body}`)
      return undefined
    }
    const replayed = response.headers.get('x-idempotency-replayed') === 'true'
    const answer = { status: response.status, contentType, body, replayed }
    ledger.saw(order, answer)
    return answer
  }

  function request(
    body: string,
    key: string,
    patienceMs: number = limits.requestTimeoutMs,
  ): Promise<Response> {
    const request = requestOf(body)
    return send('http://shop/orders', {
      ...request,
      headers: { ...request.headers, 'idempotency-key': key },
      signal: AbortSignal.timeout(patienceMs),
    })
  }

  return {
    place,
    async settle(order, withinMs, refused) {
      const until = performance.now() + withinMs
      for (;;) {
        const answer = await once(order, refused)
        if (answer !== undefined || performance.now() > until) return answer
        await sleep(50)
      }
    },
  }
}

function requestOf(body: string) {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body }
}

const NAIVE_TRIES = 6
