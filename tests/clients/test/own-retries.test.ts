import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import axios, { type AxiosError } from 'axios'
import axiosRetry from 'axios-retry'
import got, { type RequestError } from 'got'
import ky, { HTTPError } from 'ky'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// What the page of @oncekey/client says of clients that others wrote: which attempts they make.

interface Attempt {
  readonly key: string | undefined
  readonly at: number
}

let attempts: Attempt[] = []
let url = ''

/** `/in-progress` answers 409 once, `/away` 503 once, `/final` a problem that is final, always. */
const server = createServer((request, response) => {
  const key = request.headers['idempotency-key']
  attempts.push({ key: typeof key === 'string' ? key : undefined, at: performance.now() })
  const problem = { 'content-type': 'application/problem+json' }
  if (request.url === '/final') {
    response.writeHead(500, problem).end('{"code":"response-too-large","retry":"never"}')
  } else if (request.url === '/in-progress' && attempts.length < 2) {
    const wait = { ...problem, 'retry-after': '1' }
    response.writeHead(409, wait).end('{"code":"in-progress","retry":"same-key"}')
  } else if (request.url === '/away' && attempts.length < 2) {
    response.writeHead(503, problem).end('{"code":"store-unavailable","retry":"same-key"}')
  } else response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

/** The attempts that a call made. */
async function attemptsOf(call: () => Promise<unknown>): Promise<Attempt[]> {
  attempts = []
  await call().catch(() => {})
  return attempts
}

const isFinal = (body: unknown) =>
  ['new-key', 'never'].includes((body as { retry?: string } | undefined)?.retry ?? '')

const statusCodes = [408, 409, 425, 429, 500, 502, 503, 504]

/** Makes the key for each call, or where the library lets one change what is sent. */
type KeyMadeIn = 'call' | 'hook'

const newKey = () => ({ 'idempotency-key': crypto.randomUUID() })

async function postByAxios(path: string, made: KeyMadeIn): Promise<void> {
  const client = axios.create({ baseURL: url })
  axiosRetry(client, {
    retries: 4,
    retryDelay: axiosRetry.exponentialDelay,
    retryCondition: ({ response }: AxiosError) =>
      !isFinal(response?.data) && (response === undefined || statusCodes.includes(response.status)),
  })
  if (made === 'hook') {
    client.interceptors.request.use((config) => {
      config.headers.set(newKey())
      return config
    })
  }
  await client.post(path, {}, { headers: made === 'call' ? newKey() : {} })
}

async function postByGot(path: string, made: KeyMadeIn): Promise<void> {
  await got.post(url + path, {
    json: {},
    responseType: 'json',
    headers: made === 'call' ? newKey() : {},
    hooks: {
      beforeRequest: [({ headers }) => void (made === 'hook' && Object.assign(headers, newKey()))],
    },
    retry: {
      limit: 4,
      methods: ['POST'],
      statusCodes,
      calculateDelay: ({ error, computedValue }) =>
        isFinal((error as RequestError).response?.body) ? 0 : computedValue,
    },
  })
}

async function postByKy(path: string, made: KeyMadeIn): Promise<void> {
  await ky.post(url + path, {
    json: {},
    headers: made === 'call' ? newKey() : {},
    hooks: {
      beforeRequest: [
        ({ headers }) =>
          void (made === 'hook' && headers.set('idempotency-key', crypto.randomUUID())),
      ],
    },
    retry: {
      limit: 4,
      methods: ['post'],
      statusCodes,
      afterStatusCodes: [409, 413, 429, 503],
      async shouldRetry({ error }) {
        if (!(error instanceof HTTPError)) return undefined
        return isFinal(await error.response.clone().json()) ? false : undefined
      },
    },
  })
}

describe.each([
  ['axios with axios-retry', postByAxios],
  ['got', postByGot],
  ['ky', postByKy],
] as const)('%s', (_, post) => {
  test('sends one key in all attempts if the call made it', async () => {
    const made = await attemptsOf(() => post('/away', 'call'))
    expect(made).toHaveLength(2)
    expect(new Set(made.map(({ key }) => key)).size).toBe(1)
  })

  test('sends another key in each attempt if a hook made it', async () => {
    const made = await attemptsOf(() => post('/away', 'hook'))
    expect(new Set(made.map(({ key }) => key)).size).toBe(2)
  })

  test('waits for the Retry-After of a 409', async () => {
    const [first, second, ...others] = await attemptsOf(() => post('/in-progress', 'call'))
    expect(others).toEqual([])
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThan(900)
  })

  test('stops at a problem that is final', async () => {
    expect(await attemptsOf(() => post('/final', 'call'))).toHaveLength(1)
  })
})
