import { createFetch } from '@oncekey/client'
import axios from 'axios'
import axiosRetry from 'axios-retry'
import got from 'got'
import ky from 'ky'
import Stripe from 'stripe'
import { Agent, RetryAgent, request } from 'undici'
import type { PaymentsApi } from './payments-api.ts'

/** The outcome of a payment. */
export interface Paid {
  readonly status: number
  readonly replayed: boolean
  readonly cents: number
}

/** A client library that retries, configured as its own documentation says. */
export interface PayingClient {
  readonly name: string
  /** Retries after `patienceMs` without an answer, and at once when the connection is lost. */
  pay(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid>
}

/**
 * The number of attempts. The waits between them are short, and there are many attempts, because
 * the machine may be busy.
 */
const TRIES = 40

/** Client libraries of others, and as the last one our own. */
export const payingClients: readonly PayingClient[] = [
  { name: 'the SDK of Stripe, with keys of its own', pay: payWithStripe },
  { name: 'got', pay: payWithGot },
  { name: 'ky', pay: payWithKy },
  { name: 'axios with axios-retry', pay: payWithAxios },
  { name: "undici's RetryAgent", pay: payWithRetryAgent },
  { name: 'fetch with @oncekey/client', pay: payWithOurs },
]

/** Stripe's SDK, pointed at this API. */
export function stripeFor(api: PaymentsApi, patienceMs: number): Stripe {
  return new Stripe('sk_test_oncekey', {
    host: '127.0.0.1',
    port: api.port,
    protocol: 'http',
    timeout: patienceMs,
    maxNetworkRetries: TRIES,
    telemetry: false,
  })
}

async function payWithStripe(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid> {
  const intent = await stripeFor(api, patienceMs).paymentIntents.create({
    amount: cents,
    currency: 'eur',
  })
  const { statusCode, headers } = intent.lastResponse
  const replayed = headers['idempotent-replayed'] === 'true'
  return { status: statusCode, replayed, cents: intent.amount }
}

async function payWithGot(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid> {
  const response = await got.post<{ cents: number }>(`${api.url}/payments`, {
    json: { cents },
    responseType: 'json',
    headers: { 'idempotency-key': crypto.randomUUID() },
    timeout: { request: patienceMs },
    retry: {
      limit: TRIES,
      methods: ['POST'],
      statusCodes: [409, 503],
      // Without this limit, a Retry-After that is longer than the timeout would end the attempts.
      maxRetryAfter: 5_000,
      calculateDelay: ({ computedValue }) => Math.min(computedValue, 100),
    },
  })
  const replayed = response.headers['x-idempotency-replayed'] === 'true'
  return { status: response.statusCode, replayed, cents: response.body.cents }
}

async function payWithKy(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid> {
  const response = await ky.post<{ cents: number }>(`${api.url}/payments`, {
    json: { cents },
    headers: { 'idempotency-key': crypto.randomUUID() },
    timeout: 60_000,
    // ky's own `timeout` covers all attempts together.
    fetch: (input, init) =>
      fetch(new Request(input, { signal: AbortSignal.timeout(patienceMs) }), init),
    retry: {
      limit: TRIES,
      methods: ['post'],
      statusCodes: [409, 503],
      delay: () => 100,
      shouldRetry: () => true,
    },
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, cents: (await response.json()).cents }
}

async function payWithAxios(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid> {
  const client = axios.create({ timeout: patienceMs })
  axiosRetry(client, {
    retries: TRIES,
    retryDelay: () => 100,
    shouldResetTimeout: true,
    // By default it does not retry a POST, because it cannot know that ours is safe to retry.
    retryCondition: ({ response }) =>
      response === undefined || [409, 503].includes(response.status),
  })
  const headers = { 'idempotency-key': crypto.randomUUID() }
  const response = await client.post(`${api.url}/payments`, { cents }, { headers })
  const replayed = response.headers['x-idempotency-replayed'] === 'true'
  return { status: response.status, replayed, cents: response.data.cents }
}

async function payWithRetryAgent(
  api: PaymentsApi,
  cents: number,
  patienceMs: number,
): Promise<Paid> {
  const agent = new Agent({ headersTimeout: patienceMs })
  const dispatcher = new RetryAgent(agent, {
    maxRetries: TRIES,
    minTimeout: 100,
    maxTimeout: 100,
    retryAfter: false,
    methods: ['POST'],
    statusCodes: [409, 503],
    errorCodes: ['ECONNRESET', 'ECONNREFUSED', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT'],
  })
  const { statusCode, headers, body } = await request(`${api.url}/payments`, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify({ cents }),
  })
  const { cents: paid } = (await body.json()) as { cents: number }
  await agent.close()
  const replayed = headers['x-idempotency-replayed'] === 'true'
  return { status: statusCode, replayed, cents: paid }
}

async function payWithOurs(api: PaymentsApi, cents: number, patienceMs: number): Promise<Paid> {
  const fetch = createFetch({ attemptTimeoutMs: patienceMs, baseDelayMs: 50, maxAttempts: TRIES })
  const response = await fetch(`${api.url}/payments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ cents }),
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  const { cents: paid } = (await response.json()) as { cents: number }
  return { status: response.status, replayed, cents: paid }
}
